"""How prediction depth changes with the number of training images."""

import numpy as np
import pandas as pd
import seaborn as sns

from depthlens.chapters.representation.networks import COLUMNS, both, sizes
from depthlens.chapters.section import Section
from depthlens.chapters.sources import OURS
from depthlens.figures import plots
from depthlens.ledger import NotTestableError
from depthlens.prose import number

section = Section(
    __name__,
    title="Through the lens of difficulty",
    text="Prediction depth of the same test images in networks that learned from more and more "
    "images: the first probe from which the nearest training images, k-NN, agree with the "
    "network's answer. As many training images vote at every size, so that depth does not change "
    "for that reason alone.",
    columns=COLUMNS,
    per="network",
)


@section.derived
def depths(convnet, resnet):
    """Answers of the test images that have a depth."""
    table = both(convnet, resnet).dropna(subset=["depth"])
    return table.assign(wrong=table["label"] != table["prediction"])


def by_share(depths):
    """Depth of the same images: a column a share, ascending; a row a seed and image."""
    found = depths.pivot(index=["seed", "example_id"], columns="share", values="depth").sort_index()
    if found.shape[1] < 2:
        raise NotTestableError("networks learned from one share of the images only")
    return found


def known(values):
    """One value a seed, of those that have one."""
    if values.isna().all():
        raise NotTestableError("all test images have one depth")
    return values


@section.claim(
    "The more images a network has learned from, the shallower are test images.",
    source=OURS,
    measure="mean depth of the same test images, all training images minus the smallest share",
    below=0,
)
def shallower_with_more_images(depths):
    means = by_share(depths).groupby("seed").mean()
    return known(means.iloc[:, -1] - means.iloc[:, 0])


@section.claim(
    "It is the same images that are deep, with half of the training images and with all.",
    source=OURS,
    measure="rank correlation of depth of the same test images, all training images and the next "
    "smaller share",
    at_least=0.5,
)
def same_images_stay_deep(depths):
    of_seeds = by_share(depths).groupby("seed")
    return known(of_seeds.apply(lambda d: d.iloc[:, -1].corr(d.iloc[:, -2], method="spearman")))


@section.claim(
    "Deep images are more often wrong.",
    source="Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647, section 3",
    measure="error rate of the deeper half of the test images minus that of the shallower half, "
    "ties by position, all training images",
    above=0,
)
def deep_images_wrong(depths):
    def halves(rows):
        wrong = rows["wrong"].to_numpy()[np.argsort(rows["depth"].to_numpy(), kind="stable")]
        half = len(wrong) // 2
        return wrong[-half:].mean() - wrong[:half].mean()

    return known(depths[depths["share"] == 1].groupby("seed")[["wrong", "depth"]].apply(halves))


@section.derived
def means(depths):
    """Mean depth by network, seed, number of training images, and answer."""
    of_answers = depths.assign(answer=depths["wrong"].map({True: "wrong", False: "right"}))
    table = pd.concat([depths.assign(answer="all"), of_answers])
    keys = ["network", "answer", "images", "seed"]
    return table.groupby(keys, sort=False)["depth"].mean().reset_index()


@section.figure(
    "Depth by number of training images",
    shows="Above: mean depth of test images by training images, by answer; bars are cut off where "
    "the axis ends\nBelow: how depth is spread, the darker the more training images",
    alt="Mean depth against training images, and distributions of depth, for both networks.",
)
def depth_by_images(sheet, depths, means):
    sheet.facts.append(sizes(depths))
    networks = sheet.levels(means, "network")
    axes = sheet.axes(5.6, rows=2, columns=len(networks))
    said = []
    for (above, below), network in zip(axes.T, networks, strict=True):
        own, spread = (table[table["network"] == network] for table in (means, depths))
        above.set(xscale="log", title=network)
        sheet.lines(above, own, "images", "depth", hue="answer", err_style="bars")
        # Few images are wrong, and their bars are wide: the axis is about the means.
        most = own.groupby(["answer", "images"])["depth"].mean().max()
        above.set_ylim(0, 1.2 * most)
        shades = sns.color_palette("Blues", spread["images"].nunique() + 2)[2:]
        sns.histplot(
            spread, x="depth", hue="images", palette=shades, discrete=True, stat="probability",
            common_norm=False, element="poly", fill=False, legend=False, ax=below,
        )  # fmt: skip
        below.set(xlabel="prediction depth, probes", ylabel="share of the test images")
        plots.percent_axis(below.yaxis)
        of_all = own[own["answer"] == "all"].groupby("images")["depth"].mean()
        said.append(
            f"with {network} from {number(of_all.iloc[0])} to {number(of_all.iloc[-1])} of "
            f"{int(spread['n_probes'].max())} probes"
        )
    return f"From the smallest share to all images mean depth goes {'; '.join(said)}."


section.table(
    "depth-by-images",
    "Mean prediction depth of test images, by number of training images, mean over seeds",
    lambda means: means,
    keys=["network", "images", "answer"],
    values=["depth"],
)
