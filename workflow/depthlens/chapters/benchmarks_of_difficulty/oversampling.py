"""Training longer on the deep images: does it help?"""

from depthlens.chapters.benchmarks_of_difficulty.words import COLUMNS, SAID, common, sizes
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import joined, number, percent
from depthlens.sweep import grid

WHICH = {"deepest": "the deepest", "random": "some by lot"}
COLOURS = {"deepest": style.palette("a")[0], "random": style.MUTED}
section = Section(
    __name__,
    title="Training longer on the deep images",
    text="A first network gives the training images their depth. Then new networks are trained on "
    "all of them, with the deepest quarter (`oversampling.share`) twice or four times in a pass; "
    "beside it, as many images drawn by lot. All take as many steps, from the same weights, as one "
    "that sees every image once a pass: what the deep images gain, the others lose.",
    columns=COLUMNS
    | {
        "which": Column("come more often", WHICH.__getitem__, COLOURS),
        "times": Column("times a pass"),
        "gain": Column("accuracy gained", lambda share: number(100 * share) + " points"),
    },
)
section.sweep(
    "oversampling",
    "oversampling",
    cells=lambda block: grid(dataset=block["datasets"], seed=block["seeds"]),
    settings=lambda block: common(block) | block["oversampling"],
)


@section.derived
def gains(oversampling):
    """Accuracy of each network less that of the plain one of its dataset and seed."""
    keys = ["dataset", "seed"]
    plain = oversampling.loc[oversampling["which"] == "plain", [*keys, "accuracy"]]
    others = oversampling[oversampling["which"] != "plain"]
    found = others.merge(plain, on=keys, suffixes=("", "_plain"))
    return found.assign(gain=found["accuracy"] - found["accuracy_plain"])


def gained(gains, times):
    """What the deepest images bring, so many times a pass, by seed."""
    rows = gains[(gains["which"] == "deepest") & (gains["times"] == times)]
    if rows.empty:
        raise NotTestableError(f"no network saw the deep images {times} times a pass")
    return rows.set_index("seed")["gain"]


def claim(often, times):
    return section.claim(
        f"A network learns more that sees the deep images {often} as often.",
        source=f"{SAID}: train longer on the deep",
        measure=f"test accuracy with the deepest images {times} times a pass minus with every "
        "image once, as many steps",
        above=0,
    )


@claim("twice", 2)
def deep_images_twice(gains):
    return gained(gains, 2)


@claim("four times", 4)
def deep_images_four_times(gains):
    return gained(gains, 4)


@section.figure(
    "Does it help to train longer on the deep images?",
    shows="Accuracy on test images less that of a network that sees every image once a pass, as "
    "many steps · dashed: no gain",
    alt="Lines of the accuracy gained over how often some images come, one for the deepest and one "
    "for images drawn by lot, panels a dataset.",
)
def oversampling(sheet, oversampling, gains):
    sheet.facts.append(sizes(oversampling))
    for ax, _, own in sheet.panels(gains, "dataset", 2.8):
        ax.axhline(0, color=style.MUTED, linestyle="--", linewidth=1)
        sheet.lines(ax, own, "times", "gain", hue="which", err_style="bars")
        ax.yaxis.set_major_formatter(lambda share, _: number(100 * share, 1))
        ax.set_ylabel("accuracy gained, points")
    plain = oversampling[oversampling["which"] == "plain"].groupby("dataset")["accuracy"].mean()
    means = gains.groupby(["dataset", "which", "times"], sort=False)["gain"].mean()
    said = [
        f"on {dataset}, from {percent(plain[dataset], 1)}, "
        + joined(
            [
                f"{number(100 * gain, 1)} ({WHICH[which]}, {times} times)"
                for (_, which, times), gain in own.items()
            ]
        )
        for dataset, own in means.groupby(level=0, sort=False)
    ]
    return f"Points of accuracy gained: {'; '.join(said)}."


section.table(
    "oversampling",
    "Accuracy gained where some images come more often, mean over seeds",
    lambda gains: gains,
    keys=["dataset", "which", "times"],
    values=["gain"],
)
