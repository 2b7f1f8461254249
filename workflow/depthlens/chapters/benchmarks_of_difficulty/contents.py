"""The sections and sweeps of the chapter."""

from collections.abc import Mapping

from depthlens.chapters.chapter import Chapter, Section
from depthlens.sweep import Sweep, grid

SECTIONS: tuple[Section, ...] = (
    Section(
        name="label_noise",
        title="Finding wrong labels",
        explanation=(
            "Some training images get a wrong label by one of four rules: any other class "
            "(uniform), the class that looks nearest on average (asymmetric), the class before or "
            "after (adjacent), or one that depends on the image itself (feature). A network is "
            "trained on these labels until its end, and every score ranks the images. An AUROC of "
            "1 has all wrong labels before all right ones; 0.5 is what choosing at random gives.",
            "Input margin and variance of gradients are known of 600 images a network only; the "
            "searched margin is left out, as its few images would hold too few wrong labels.",
        ),
        sweeps=("label_noise",),
        figures=("label_noise_scores", "label_noise_rates"),
    ),
)


def sweeps(block: Mapping) -> list[Sweep]:
    """The sweeps that a block `chapters.benchmarks_of_difficulty` of config.yaml asks for."""
    common = {key: block[key] for key in ("recipe", "n_neighbors", "early_epoch")}
    noise = block["label_noise"]
    return [
        Sweep(
            name="label_noise",
            experiment="benchmarks_of_difficulty.experiments.label_noise",
            cells=grid(
                dataset=noise["datasets"],
                kind=noise["kinds"],
                rate=noise["rates"],
                seed=block["seeds"],
            ),
            settings=common,
        ),
    ]


CHAPTER = Chapter(
    name="benchmarks_of_difficulty",
    title="Does difficulty deliver?",
    introduction=(
        "People use difficulty to find wrong labels, to spot foreign images, to stop a network "
        "early and to choose what to train on, and they say a good deal about it. Here each of "
        "these is put to the test, with choosing at random beside it, over several seeds, and "
        "with thresholds that were written down before anything was run.",
    ),
    sections=SECTIONS,
    sweeps=sweeps,
)
