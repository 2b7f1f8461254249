"""What the features before the last layer know: a map, neighbours, and how pure these are."""

import seaborn as sns

from depthlens.chapters.representation.networks import (
    COLUMNS,
    COURSE,
    both,
    first_seed,
    show_images,
    sizes,
)
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.ledger import NotTestableError
from depthlens.prose import number, percent, shortened

section = Section(
    __name__,
    title="What the penultimate layer knows",
    text="Features are what the last linear layer sees. t-SNE lays them out in the plane so that "
    "near images stay near; distances between groups mean nothing. So beside it stands what is "
    "measured in feature space itself: the share of the eight nearest other test images with the "
    "same label, and the silhouette, from −1 (nearer to another class) to 1.",
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
def pictures(convnet_pictures, resnet_pictures):
    return both(convnet_pictures, resnet_pictures)


@section.claim(
    "Nearest neighbours in feature space share the label.",
    source=COURSE,
    measure="share of the eight nearest other test images with the image's label",
    at_least=0.99,
)
def neighbours_share_the_label(embedded):
    return embedded.groupby("seed")["purity"].mean()


@section.claim(
    "Images that the network gets wrong lie among images of other classes.",
    source=COURSE,
    measure="share of the neighbours with the label, wrong images minus right ones",
    at_most=-0.3,
)
def wrong_images_lie_among_others(embedded):
    purity = embedded.pivot_table(index="seed", columns="right", values="purity")
    if len(purity.columns) < 2:
        raise NotTestableError("no network had both right and wrong images")
    return purity[False] - purity[True]


@section.figure(
    "The features of test images, laid out by t-SNE",
    shows="Near is alike; distances between groups mean nothing",
    alt="Maps of points coloured by class, wrong ones crossed, a panel a network.",
)
def embedding(sheet, embedded):
    sheet.facts.append(sizes(embedded))
    said = []
    for ax, network, rows in sheet.panels(embedded, "network", 5.0, sharey=False):
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
    shows=f"Left an image of each class (at most {MOST_CLASSES}), then the eight other test images "
    "with the nearest features, the nearest first · a red frame: another class than the image",
    alt="Rows of images: one, and its eight nearest neighbours in feature space.",
)
def neighbours(sheet, embedded, pictures):
    most = min(MOST_CLASSES, embedded.groupby("network")["label"].nunique().max())
    said = []
    for ax, network, rows in sheet.panels(embedded, "network", 0.55 + 0.49 * most, sharey=False):
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


section.table(
    "embedding",
    "Neighbours in feature space, mean over the embedded test images and seeds",
    lambda embedded: (
        embedded.groupby(["network", "label"])[["purity", "silhouette"]].mean().reset_index()
    ),
    keys=["network", "label"],
    values=["purity", "silhouette"],
)
