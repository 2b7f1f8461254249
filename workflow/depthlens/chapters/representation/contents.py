"""The sections and sweeps of the chapter."""

from collections.abc import Mapping

from depthlens.chapters.chapter import Chapter, Section
from depthlens.sweep import Sweep, grid

NETWORKS = ("convnet", "resnet")
"""the networks of the chapter: blocks of the config, and tables"""
_TABLES = ("kernels", "embedding", "pictures")


def _of_both(*kinds: str) -> tuple[str, ...]:
    return tuple(f"{network}_{kind}" if kind else network for network in NETWORKS for kind in kinds)


SECTIONS: tuple[Section, ...] = (
    Section(
        name="data_size",
        title="What more images are worth",
        explanation=(
            "A small convolutional network (5×5 – ReLU – pooling – 5×5 – batch normalisation – "
            "ReLU – pooling – 128 – classes) and a ResNet-18 with a quarter of the channels learn "
            "from a sixteenth of the training images up to all of them; a larger part holds the "
            "smaller ones. All pass as often over their images, so that more images also are more "
            "steps. Both axes are logarithmic: a power law, loss = a · n^b, is a straight line.",
        ),
        tables=_of_both(""),
        figures=("loss_by_images", "accuracy_by_images"),
    ),
    Section(
        name="kernels",
        title="Filters of the first layer",
        explanation=(
            "Weights of the first convolution before the first step and after the last. Where "
            "neighbouring weights are alike, a filter answers to edges and blobs; drawn weights "
            "are not alike.",
        ),
        tables=_of_both("kernels"),
        figures=("kernels",),
    ),
    Section(
        name="errors",
        title="What is confused",
        explanation=(
            "Test images that the networks of all training images get wrong: those with the "
            "highest loss, and how often which class is taken for which.",
        ),
        tables=_of_both("", "pictures"),
        figures=("errors", "confusion"),
    ),
    Section(
        name="embedding",
        title="What the penultimate layer knows",
        explanation=(
            "Features are what the last linear layer sees. t-SNE lays them out in the plane so "
            "that near images stay near; distances between groups mean nothing. So beside it "
            "stands what is measured in feature space itself: the share of the eight nearest other "
            "test images with the same label, and the silhouette, from −1 (nearer to another "
            "class) to 1.",
        ),
        tables=_of_both("embedding", "pictures"),
        figures=("embedding", "neighbours"),
    ),
    Section(
        name="depth",
        title="Through the lens of difficulty",
        explanation=(
            "Prediction depth of the same test images in networks that learned from more and more "
            "images: the first probe from which the nearest training images, k-NN, agree with the "
            "network's answer. As many training images vote at every size, so that depth does not "
            "change for that reason alone.",
        ),
        tables=_of_both(""),
        figures=("depth_by_images",),
    ),
)


def sweeps(block: Mapping) -> list[Sweep]:
    """The sweeps that a block `chapters.representation` of config.yaml asks for."""
    found = []
    for name in NETWORKS:
        recipe = dict(block[name])
        dataset = recipe.pop("dataset")
        found.append(
            Sweep(
                name=name,
                experiment="representation.experiments.networks",
                cells=grid(dataset=[dataset], share=block["shares"], seed=block["seeds"]),
                settings={
                    "name": name,
                    "recipe": recipe,
                    "references": round(min(block["shares"]) * recipe["train_examples"]),
                    **{key: block[key] for key in ("n_neighbors", "embedded")},
                },
                tables=(name, *(f"{name}_{table}" for table in _TABLES)),
            )
        )
    return found


CHAPTER = Chapter(
    name="representation",
    title="What a network has learned",
    introduction=(
        "How much better a network becomes with more images, what its first filters look like, "
        "which classes it confuses, what its last features know, and which images are hard for "
        "it. Every measurement is over several seeds.",
    ),
    sections=SECTIONS,
    sweeps=sweeps,
)
