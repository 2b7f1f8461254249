"""What the features before the last layer know: a map, neighbours, and how pure these are."""

import seaborn as sns

from depthlens.chapters.representation.networks import (
    COLUMNS,
    both,
    first_seed,
    show_images,
    sizes,
)
from depthlens.chapters.section import Section
from depthlens.chapters.sources import MNIST, OURS
from depthlens.figures import style
from depthlens.ledger import NotTestableError
from depthlens.prose import number, percent, shortened

section = Section(
    __name__,
    title="What the penultimate layer knows",
    text=(
        "Features are what the last linear layer sees and, where that stands behind a ReLU, the "
        "same before it: the embedding of CS 148, which figures are of. t-SNE lays all test images "
        "out in the plane so that near images stay near; distances between groups mean nothing. So "
        "beside it stands what is measured in feature space itself: the share of the eight nearest "
        "other test images with the same label, and the silhouette, from −1 (nearer to another "
        "class) to 1.",
        "The more images neighbours are looked for among, the nearer they are: among all test "
        "images, as CS 148 does it, and among those that have a depth.",
    ),
    columns=COLUMNS,
    per="network",
)
MOST_CLASSES = 10
"""whose images are shown"""


@section.derived
def embedded(convnet_embedding, resnet_embedding):
    table = both(convnet_embedding, resnet_embedding)
    return table.assign(right=table["label"] == table["prediction"])


@section.derived
def laid_out(embedded):
    """All test images by the first features of a network: before the ReLU, if there is one."""
    first = embedded.groupby("network")["features"].transform("first")
    return embedded[(embedded["features"] == first) & (embedded["among"] == "all")]


@section.derived
def of_some(embedded):
    """Test images that have a depth, neighbours among these, by what the last layer sees."""
    return embedded[(embedded["features"] == "last") & (embedded["among"] == "embedded")]


@section.derived
def pictures(convnet_pictures, resnet_pictures):
    return both(convnet_pictures, resnet_pictures)


@section.claim(
    "Nearest neighbours in feature space share the label.",
    source=f"{OURS}: {MNIST}, says it of neighbours among all test images, before the ReLU",
    measure="share of the eight nearest other test images with the image's label",
    at_least=0.99,
)
def neighbours_share_the_label(of_some):
    return of_some.groupby("seed")["purity"].mean()


def before_relu(table):
    """The rows of features before the ReLU."""
    if "before_relu" not in set(table["features"]):
        raise NotTestableError("the last layer is not behind a ReLU")
    return table[table["features"] == "before_relu"]


@section.claim(
    "Nearest neighbours among all test images share the label.",
    source=f"{MNIST}, nearest neighbours; the threshold is ours",
    measure="share of the eight nearest of all other test images with the image's label, features "
    "before the ReLU",
    printed="all, of 4 images",
    at_least=0.99,
)
def neighbours_among_all_share_the_label(laid_out):
    return before_relu(laid_out).groupby("seed")["purity"].mean()


@section.claim(
    "Images that the network gets wrong lie among images of other classes.",
    source=f"{OURS}: {MNIST}, says it of t-SNE of all test images, before the ReLU",
    measure="share of the neighbours with the label, wrong images minus right ones",
    at_most=-0.3,
)
def wrong_images_lie_among_others(of_some):
    return wrong_less_right(of_some)


@section.claim(
    "Among all test images, too, wrong ones lie among images of other classes.",
    source=f"{MNIST}, t-SNE; the threshold is ours",
    measure="share of the neighbours with the label among all test images, wrong images minus "
    "right ones, features before the ReLU",
    at_most=-0.3,
)
def wrong_images_lie_among_others_of_all(laid_out):
    return wrong_less_right(before_relu(laid_out))


def wrong_less_right(rows):
    """Share of neighbours with the label, of wrong images less that of right ones, by seed."""
    purity = rows.pivot_table(index="seed", columns="right", values="purity")
    if len(purity.columns) < 2:
        raise NotTestableError("no network had both right and wrong images")
    return purity[False] - purity[True]


@section.figure(
    "The features of test images, laid out by t-SNE",
    shows="Near is alike; distances between groups mean nothing",
    alt="Maps of points coloured by class, wrong ones crossed, a panel a network.",
)
def embedding(sheet, laid_out):
    sheet.facts.append(sizes(laid_out))
    said = []
    for ax, network, rows in sheet.panels(laid_out, "network", 5.0, sharey=False):
        own = first_seed(rows)
        wrong = own[~own["right"]]
        colours = sheet.colours(own.sort_values("label"), "label")
        sns.scatterplot(
            own, x="x", y="y", hue="label", palette=colours, s=5, linewidth=0, alpha=0.7,
            legend=False, ax=ax,
        )  # fmt: skip
        ax.scatter(wrong["x"], wrong["y"], s=22, marker="x", color=style.ALERT, linewidths=1)
        for name, place in own.groupby("label")[["x", "y"]].median().iterrows():
            ax.text(
                *place, shortened(name, 14), ha="center", va="center", fontsize=8,
                fontweight="bold",
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75,
                      "edgecolor": colours[name]},
            )  # fmt: skip
        seed = own["seed"].iloc[0]
        ax.set_title(f"{network}\nseed {seed}: {len(wrong)} of {len(own)} wrong (×)")
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        ax.grid(visible=False)
        said.append(
            f"with {network}, {percent(rows['purity'].mean(), 1)} of the eight nearest neighbours "
            f"have the label, and the silhouette is {number(rows['silhouette'].mean())}"
        )
    return f"Measured in feature space, mean over seeds: {'; '.join(said)}."


@section.figure(
    "Images and their nearest neighbours",
    shows=f"Left an image of each class (at most {MOST_CLASSES}), then the eight of all other test "
    "images that are nearest to it · a red frame: another class than the image",
    alt="Rows of images: one, and its eight nearest neighbours in feature space.",
)
def neighbours(sheet, laid_out, pictures):
    most = min(MOST_CLASSES, laid_out.groupby("network")["label"].nunique().max())
    said = []
    for ax, network, rows in sheet.panels(laid_out, "network", 0.55 + 0.49 * most, sharey=False):
        own, known = first_seed(rows), first_seed(pictures[pictures["network"] == network])
        chosen = own.groupby("label").head(1).sort_values("label")[:MOST_CLASSES]
        shown = [[row.example_id, *row.neighbours] for row in chosen.itertuples()]
        label = known.set_index("example_id")["label"]
        same = [label[example] == label[line[0]] for line in shown for example in line]
        show_images(
            ax,
            known,
            [example for line in shown for example in line],
            columns=len(shown[0]),
            captions=[()] * len(same),
            frames=[style.RIGHT if is_same else style.ALERT for is_same in same],
            caption_height=0.16,
        )
        ax.set_title(f"{network} · seed {own['seed'].iloc[0]}")
        of_others = len(same) - len(chosen)
        said.append(f"{sum(same) - len(chosen)} of {of_others} neighbours shown of {network}")
    return f"The label is shared by {' and '.join(said)}."


@section.derived
def pure(embedded):
    """Means over images, a row a seed."""
    keys = ["network", "features", "among", "seed"]
    return embedded.groupby(keys, sort=False)[["purity", "silhouette"]].mean().reset_index()


section.table(
    "neighbours",
    "Neighbours in feature space, mean over test images and seeds",
    lambda pure: pure,
    keys=["network", "features", "among"],
    values=["purity", "silhouette"],
)
section.table(
    "embedding",
    "Neighbours in feature space by class, mean over all test images and seeds",
    lambda laid_out: (
        laid_out.groupby(["network", "label"])[["purity", "silhouette"]].mean().reset_index()
    ),
    keys=["network", "label"],
    values=["purity", "silhouette"],
)
