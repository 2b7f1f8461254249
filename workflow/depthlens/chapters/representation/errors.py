"""Which test images are wrong, and which class is taken for which."""

from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from depthlens.chapters import comparing
from depthlens.chapters.representation.networks import Tables, each, judged, seeds_and_images
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError
from depthlens.prose import count, percent, shortened
from depthlens.report.page import Cell, Table

claim_of = comparing.claims_of("representation")
_PAIRS = {"four-and-nine": ("4", "9"), "three-and-five": ("3", "5"), "zero-and-six": ("0", "6")}
CLAIMS = tuple(
    claim_of(
        f"confused-{id}",
        f"Among the digits that are confused most are {first} and {second}.",
        "course material on representation learning",
        "rank of the pair among all pairs of classes, by test images of one taken for the other, "
        "all training images",
        at_most=5,
    )
    for id, (first, second) in _PAIRS.items()
)
_GALLERY = 16


def of_all_images(table: pd.DataFrame) -> pd.DataFrame:
    """Answers of the networks that saw all training images."""
    return table[table["share"] == 1]


def confusion(rows: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """How often which class is taken for which: shape (n_classes, n_classes), labels in rows."""
    counted = pd.crosstab(rows["label"], rows["prediction"])
    return counted.reindex(index=classes, columns=classes, fill_value=0).to_numpy()


def classes_of(table: pd.DataFrame) -> list[str]:
    """Names of the classes in the order of their names."""
    return sorted(set(table["label"]) | set(table["prediction"]))


def pair_rank(matrix: np.ndarray, first: int, second: int) -> int:
    """Place of a pair of classes among all pairs, by images of one taken for the other: 1, 2, …

    Pairs with as many images share the better place.
    """
    both = matrix + matrix.T
    pairs = [both[i, j] for i, j in combinations(range(len(both)), 2)]
    return 1 + sum(value > both[first, second] for value in pairs)


def _measure(claim: Claim, table: pd.DataFrame) -> list[float]:
    rows = of_all_images(table)
    classes = classes_of(rows)
    # MNIST's classes are called "4 - four".
    digits = [name.split(" ")[0] for name in classes]
    pair = _PAIRS[claim.id.removeprefix("confused-")]
    if not set(pair) <= set(digits):
        raise NotTestableError("the classes are not digits")
    first, second = map(digits.index, pair)
    ranks = []
    for _, of_seed in rows.groupby("seed"):
        matrix = confusion(of_seed, classes)
        if np.trace(matrix) < matrix.sum():
            ranks.append(pair_rank(matrix, first, second))
    return ranks


def evaluate(tables: Tables, *, confidence_level: float) -> list[Finding]:
    """Hold the claims against both networks."""
    return judged(CLAIMS, _measure, tables, confidence_level=confidence_level)


def draw(tables: Tables, *, confidence_level: float) -> dict[str, Drawing]:
    """A gallery of errors, and confusion matrices."""
    answers = {title: of_all_images(table) for title, table in each(tables).items()}
    return {
        "errors": _gallery(answers, each(tables, "pictures")),
        "confusion": _confusions(answers),
    }


def _gallery(answers: dict[str, pd.DataFrame], pictures: dict[str, pd.DataFrame]) -> Drawing:
    figure, axes = style.canvas(3.1 * len(answers), rows=len(answers))
    phrases = []
    for ax, (title, table) in zip(axes[:, 0], answers.items(), strict=True):
        seed = min(table["seed"])
        own = table[table["seed"] == seed]
        wrong = own[own["label"] != own["prediction"]].sort_values("loss", ascending=False)
        shown = wrong[:_GALLERY]
        known = pictures[title]
        pixels = known[known["seed"] == seed].set_index("example_id")
        ax.set_title(f"{title}: {len(shown)} of {count(len(wrong))} errors, seed {seed}")
        if shown.empty:
            ax.set_axis_off()
        else:
            plots.image_grid(
                ax,
                np.stack([_image(pixels.loc[example]) for example in shown["example_id"]]),
                columns=8,
                captions=[
                    (shortened(row.label, 12), f"as {shortened(row.prediction, 12)}")
                    for row in shown.itertuples()
                ],
                frames=[style.WRONG] * len(shown),
                caption_height=0.52,
            )
        share = (table["label"] != table["prediction"]).mean()
        phrases.append(f"{percent(share, 1)} of the answers of {title}")
    title = "The worst errors"
    sizes = "; ".join(f"{name}: {seeds_and_images(table)}" for name, table in answers.items())
    style.frame(
        figure,
        title=title,
        subtitle="Test images that are wrong, the highest loss first: their class, and what the "
        f"network takes them for\n{sizes}",
    )
    alt = "Grids of test images, each with its class and the class that the network gave."
    return Drawing(figure, title, f"Wrong are {' and '.join(phrases)}.", alt)


def _image(row: pd.Series) -> np.ndarray:
    return np.asarray(row["pixels"], np.uint8).reshape(1, row["height"], row["width"])


def _confusions(answers: dict[str, pd.DataFrame]) -> Drawing:
    figure, axes = style.canvas(4.4, columns=len(answers))
    phrases = []
    for ax, (title, table) in zip(axes[0], answers.items(), strict=True):
        classes = classes_of(table)
        matrix = confusion(table, classes) / table["seed"].nunique()
        _matrix(ax, matrix, classes)
        ax.set_title(title)
        wrong = matrix * (1 - np.eye(len(classes)))
        label, prediction = np.unravel_index(wrong.argmax(), wrong.shape)
        if wrong.sum():
            phrases.append(
                f"{title} most often takes {classes[label]} for {classes[prediction]} "
                f"({wrong[label, prediction]:.1f} images)"
            )
    axes[0, 0].set_ylabel("class")
    title = "Which class is taken for which"
    sizes = "; ".join(f"{name}: {seeds_and_images(table)}" for name, table in answers.items())
    style.frame(
        figure,
        title=title,
        subtitle=f"Test images of the class of a row that are wrong, mean over seeds\n{sizes}",
        xlabel="class that the network gives",
    )
    sentence = f"{'; '.join(phrases)}." if phrases else "There is no error."
    alt = "Matrices of classes, darker where more images of the row's class get the column's."
    return Drawing(figure, title, sentence, alt)


def _matrix(ax: Axes, matrix: np.ndarray, classes: list[str]) -> None:
    """Errors as shades; what is right is left white, or it would outshine all else."""
    wrong = np.where(np.eye(len(classes), dtype=bool), np.nan, matrix)
    ax.imshow(wrong, cmap="Blues", vmin=0, vmax=max(np.nanmax(wrong), 1e-9))
    names = [shortened(name, 12) for name in classes]
    ax.set_xticks(range(len(classes)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(classes)), names)
    ax.grid(visible=False)
    if len(classes) <= 12:
        for (row, column), value in np.ndenumerate(wrong):
            if value >= 0.05:
                dark = value > 0.6 * np.nanmax(wrong)
                ax.text(
                    column, row, f"{value:.1f}", ha="center", va="center", fontsize=6.5,
                    color="white" if dark else style.INK,
                )  # fmt: skip


def report_tables(tables: Tables, *, confidence_level: float) -> list[Table]:
    """Pairs of classes that are confused most."""
    rows = []
    for title, table in each(tables).items():
        own = of_all_images(table)
        classes = classes_of(own)
        both = confusion(own, classes) / own["seed"].nunique()
        both = both + both.T
        pairs = sorted(combinations(range(len(classes)), 2), key=lambda pair: -both[pair])
        for rank, (i, j) in enumerate(pairs[:10], start=1):
            rows.append(
                [
                    Cell(title),
                    Cell(str(rank), rank),
                    Cell(classes[i]),
                    Cell(classes[j]),
                    Cell(f"{both[i, j]:.1f}", float(both[i, j])),
                ]
            )
    columns = ["network", "place", "class", "and class", "images a seed"]
    caption = "Pairs of classes by test images of one taken for the other, mean over seeds"
    return [Table(id="table-confusion", caption=caption, columns=columns, rows=rows)]
