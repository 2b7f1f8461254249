"""What the features before the last layer know: a map, neighbours, and how pure these are."""

import numpy as np
import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.representation.networks import Tables, each, judged, seeds_and_images
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError
from depthlens.prose import number, percent, shortened
from depthlens.report.page import Cell, Table

claim_of = comparing.claims_of("representation")
CLAIMS = (
    claim_of(
        "neighbours-share-the-label",
        "Nearest neighbours in feature space share the label.",
        "course material on representation learning",
        "share of the eight nearest other test images with the image's label",
        at_least=0.99,
    ),
    claim_of(
        "wrong-images-lie-among-others",
        "Images that the network gets wrong lie among images of other classes.",
        "course material on representation learning",
        "share of the neighbours with the label, wrong images minus right ones",
        at_most=-0.3,
    ),
)
_MOST_CLASSES = 10


def _measure(claim: Claim, table: pd.DataFrame) -> list[float]:
    values = []
    for _, of_seed in table.groupby("seed"):
        if claim.id == "neighbours-share-the-label":
            values.append(float(of_seed["purity"].mean()))
            continue
        wrong = of_seed["label"] != of_seed["prediction"]
        if wrong.any() and not wrong.all():
            purity = of_seed["purity"]
            values.append(float(purity[wrong].mean() - purity[~wrong].mean()))
    if not values:
        raise NotTestableError("no network had both right and wrong images")
    return values


def evaluate(tables: Tables, *, confidence_level: float) -> list[Finding]:
    """Hold the claims against both networks."""
    return judged(CLAIMS, _measure, tables, "embedding", confidence_level=confidence_level)


def draw(tables: Tables, *, confidence_level: float) -> dict[str, Drawing]:
    """The map of the features, and images with their neighbours."""
    found = each(tables, "embedding")
    return {
        "embedding": _maps(found),
        "neighbours": _strips(found, each(tables, "pictures")),
    }


def _maps(found: dict[str, pd.DataFrame]) -> Drawing:
    figure, axes = style.canvas(5.0, columns=len(found))
    phrases = []
    for ax, (title, table) in zip(axes[0], found.items(), strict=True):
        seed = min(table["seed"])
        rows = table[table["seed"] == seed]
        classes = sorted(set(rows["label"]))
        for name, colour in zip(classes, style.palette(classes), strict=True):
            of_class = rows[rows["label"] == name]
            ax.scatter(of_class["x"], of_class["y"], s=5, color=colour, linewidths=0, alpha=0.7)
            ax.text(
                of_class["x"].median(), of_class["y"].median(), shortened(name, 14),
                ha="center", va="center", fontsize=8, fontweight="bold", color=style.INK,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75,
                      "edgecolor": colour},
            )  # fmt: skip
        wrong = rows[rows["label"] != rows["prediction"]]
        ax.scatter(wrong["x"], wrong["y"], s=22, marker="x", color=style.ALERT, linewidths=1)
        ax.set_title(f"{title}\nseed {seed}: {len(wrong)} of {len(rows)} wrong (×)")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(visible=False)
        phrases.append(
            f"with {title}, {percent(table['purity'].mean(), 1)} of the eight nearest neighbours "
            f"have the label, and the silhouette is {number(table['silhouette'].mean())}"
        )
    title = "The features of test images, laid out by t-SNE"
    sizes = "; ".join(f"{name}: {seeds_and_images(table)}" for name, table in found.items())
    style.frame(
        figure,
        title=title,
        subtitle=f"Near is alike; distances between groups mean nothing\n{sizes}",
    )
    sentence = f"Measured in feature space, mean over seeds: {'; '.join(phrases)}."
    alt = "Maps of points coloured by class, wrong ones crossed, a panel a network."
    return Drawing(figure, title, sentence, alt)


def _strips(found: dict[str, pd.DataFrame], pictures: dict[str, pd.DataFrame]) -> Drawing:
    """The first embedded image of each class, and its eight nearest others."""
    most = max(min(table["label"].nunique(), _MOST_CLASSES) for table in found.values())
    figure, axes = style.canvas(0.55 + 0.49 * most, columns=len(found))
    phrases = []
    for ax, (title, table) in zip(axes[0], found.items(), strict=True):
        seed = min(table["seed"])
        rows = table[table["seed"] == seed]
        chosen = rows.groupby("label").head(1).sort_values("label")[:_MOST_CLASSES]
        known = pictures[title]
        pixels = known[known["seed"] == seed].set_index("example_id")
        images, frames, same = [], [], []
        for row in chosen.itertuples():
            for example in (row.example_id, *row.neighbours):
                shown = pixels.loc[example]
                images.append(
                    np.asarray(shown["pixels"], np.uint8).reshape(
                        1, shown["height"], shown["width"]
                    )
                )
                is_same = shown["label"] == row.label
                frames.append(style.RIGHT if is_same else style.ALERT)
                same.append(is_same)
        width = 1 + len(chosen["neighbours"].iloc[0])
        plots.image_grid(
            ax, np.stack(images), columns=width, captions=[()] * len(images), frames=frames,
            caption_height=0.16,
        )  # fmt: skip
        ax.set_title(f"{title} · seed {seed}")
        n = len(same) - len(chosen)
        phrases.append(f"{sum(same) - len(chosen)} of {n} neighbours shown of {title}")
    title = "Images and their nearest neighbours"
    style.frame(
        figure,
        title=title,
        subtitle=f"Left an image of each class (at most {_MOST_CLASSES}), then the eight other "
        "test images with the nearest features, the nearest first\n"
        "A red frame: another class than the image",
    )
    alt = "Rows of images: one, and its eight nearest neighbours in feature space."
    return Drawing(figure, title, f"The label is shared by {' and '.join(phrases)}.", alt)


def report_tables(tables: Tables, *, confidence_level: float) -> list[Table]:
    """Purity and silhouette, class by class."""
    rows = []
    for title, table in each(tables, "embedding").items():
        for label, of_class in table.groupby("label"):
            rows.append(
                [
                    Cell(title),
                    Cell(str(label)),
                    *(
                        Cell(shown(of_class[name].mean()), float(of_class[name].mean()))
                        for name, shown in (
                            ("purity", lambda value: percent(value, 1)),
                            ("silhouette", lambda value: number(value, 3)),
                        )
                    ),
                ]
            )
    columns = ["network", "class", "neighbours with the label", "silhouette"]
    caption = "Neighbours in feature space, mean over the embedded test images and seeds"
    return [Table(id="table-embedding", caption=caption, columns=columns, rows=rows)]
