"""How prediction depth changes with the number of training images."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from depthlens.chapters import comparing
from depthlens.chapters.over_seeds import over_seeds
from depthlens.chapters.representation.networks import Tables, each, judged, some_seeds
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Claim, Finding, NotTestableError
from depthlens.prose import count, number, percent
from depthlens.report.page import Cell, Table

claim_of = comparing.claims_of("representation")
_COURSE = "course material on prediction depth"
CLAIMS = (
    claim_of(
        "shallower-with-more-images",
        "The more images a network has learned from, the shallower are test images.",
        _COURSE,
        "mean depth of the same test images, all training images minus the smallest share",
        below=0,
    ),
    claim_of(
        "same-images-stay-deep",
        "It is the same images that are deep, with half of the training images and with all.",
        _COURSE,
        "rank correlation of depth of the same test images, all training images and the next "
        "smaller share",
        at_least=0.5,
    ),
    claim_of(
        "deep-images-wrong",
        "Deep images are more often wrong.",
        "Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647, section 3",
        "error rate of the deeper half of the test images minus that of the shallower half, ties "
        "by position, all training images",
        above=0,
    ),
)


def depths(table: pd.DataFrame) -> pd.DataFrame:
    """Depth of the test images that have one: a column a share, ascending; a row a seed and image.

    The same images have a depth at every share.
    """
    there = table.dropna(subset=["depth"])
    return there.pivot(index=["seed", "example_id"], columns="share", values="depth").sort_index()


def _measure(claim: Claim, table: pd.DataFrame) -> list[float]:
    values = []
    for seed, of_seed in depths(table).groupby(level="seed"):
        if claim.id == "deep-images-wrong":
            values.append(_halves(table[(table["seed"] == seed) & (table["share"] == 1)]))
        elif of_seed.shape[1] < 2:
            raise NotTestableError("networks learned from one share of the images only")
        elif claim.id == "shallower-with-more-images":
            values.append(float(of_seed.iloc[:, -1].mean() - of_seed.iloc[:, 0].mean()))
        else:
            values.append(of_seed.iloc[:, -1].corr(of_seed.iloc[:, -2], method="spearman"))
    if np.isnan(values).all():
        raise NotTestableError("all test images have one depth")
    return [value for value in values if not np.isnan(value)]


def _halves(rows: pd.DataFrame) -> float:
    there = rows.dropna(subset=["depth"])
    order = np.argsort(there["depth"].to_numpy(), kind="stable")
    wrong = (there["label"] != there["prediction"]).to_numpy()[order]
    half = len(wrong) // 2
    return float(wrong[-half:].mean() - wrong[:half].mean())


def evaluate(tables: Tables, *, confidence_level: float) -> list[Finding]:
    """Hold the claims against both networks."""
    return judged(CLAIMS, _measure, tables, confidence_level=confidence_level)


def _means(table: pd.DataFrame, confidence_level: float) -> pd.DataFrame:
    """Mean depth by number of training images, of all, right and wrong test images."""
    there = table.dropna(subset=["depth"])
    right = there["label"] == there["prediction"]
    parts = {"all": there, "right": there[right], "wrong": there[~right]}
    tidy = pd.concat(
        [
            part.groupby(["seed", "images"])["depth"].mean().reset_index().assign(answers=name)
            for name, part in parts.items()
        ]
    )
    return over_seeds(tidy, ["answers", "images"], "depth", confidence_level=confidence_level)


def draw(tables: Tables, *, confidence_level: float) -> dict[str, Drawing]:
    """Mean depth by number of training images, and how depth is spread at each."""
    found = each(tables)
    figure, axes = style.canvas(5.6, rows=2, columns=len(found))
    colours = {"all": style.INK, "right": style.RIGHT, "wrong": style.WRONG}
    phrases = []
    for (ax, below), (title, table) in zip(axes.T, found.items(), strict=True):
        means = _means(table, confidence_level)
        for answers, colour in colours.items():
            rows = means[means["answers"] == answers].sort_values("images")
            ax.plot(rows["images"], rows["mean"], "-o", color=colour, markersize=4, label=answers)
            plots.error_bars(
                ax, rows["images"], rows["mean"], rows["low"], rows["high"], ecolor=colour
            )
        ax.set_xscale("log")
        sizes = sorted(set(table["images"]))
        ax.set_xticks(sizes, [count(size) for size in sizes], fontsize=7.5)
        ax.xaxis.set_minor_locator(NullLocator())
        # Few images are wrong, and their bars are wide: the axis is about the means.
        ax.set_ylim(0, 1.2 * float(means["mean"].max()))
        ax.set_title(f"{title}, {some_seeds(table)}")
        _spread(below, table)
        of_all = means[means["answers"] == "all"].sort_values("images")["mean"]
        phrases.append(
            f"with {title} from {number(of_all.iloc[0])} to {number(of_all.iloc[-1])} of "
            f"{int(table['n_probes'].max())} probes"
        )
    axes[0, 0].set_ylabel("mean depth, probes")
    axes[1, 0].set_ylabel("share of the test images")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    title = "Depth by number of training images"
    n = int(next(iter(found.values())).groupby(["seed", "share"])["depth"].count().max())
    style.frame(
        figure,
        title=title,
        subtitle=f"Above: mean depth of {count(n)} test images by training images, by answer · "
        f"bars: {percent(confidence_level)} intervals over seeds, cut off where the axis ends\n"
        "Below: how depth is spread, the darker the more training images",
    )
    sentence = f"From the smallest share to all images mean depth goes {'; '.join(phrases)}."
    alt = "Mean depth against training images, and distributions of depth, for both networks."
    return {"depth_by_images": Drawing(figure, title, sentence, alt)}


def _spread(ax: Axes, table: pd.DataFrame) -> None:
    there = table.dropna(subset=["depth"])
    n_probes = int(there["n_probes"].max())
    shares = sorted(set(there["share"]))
    for place, share in enumerate(shares):
        depth = there.loc[there["share"] == share, "depth"].to_numpy(int)
        shown = np.bincount(depth, minlength=n_probes + 1) / len(depth)
        darkness = 0.25 + 0.75 * (place + 1) / len(shares)
        ax.plot(
            range(n_probes + 1), shown, "-o", color=style.RIGHT, alpha=darkness, markersize=3,
            linewidth=1.4,
        )  # fmt: skip
    plots.percent_axis(ax.yaxis)
    ax.set_xlabel("prediction depth, probes")


def report_tables(tables: Tables, *, confidence_level: float) -> list[Table]:
    """Mean depth by number of training images and answer."""
    rows = []
    for title, table in each(tables).items():
        for row in _means(table, confidence_level).itertuples():
            rows.append(
                [
                    Cell(title),
                    Cell(count(row.images), int(row.images)),
                    Cell(row.answers),
                    Cell(number(row.mean), row.mean),
                    Cell(f"{number(row.low)} … {number(row.high)}"),
                    Cell(str(row.n), row.n),
                ]
            )
    columns = ["network", "training images", "answers", "mean depth", "interval", "seeds"]
    caption = "Mean prediction depth of test images, by number of training images"
    return [Table(id="table-depth-by-images", caption=caption, columns=columns, rows=rows)]
