"""Which images are hard for a network, and why: prediction depth."""

# Here and not beside the code that draws them: the workflow lists its outputs from these names
# and should not have to import a plotting library for it.
FIGURES = (
    "sample_grid",
    "depth_histogram",
    "accuracy_by_depth",
    "gallery_easiest",
    "gallery_hardest",
    "class_mix_by_depth",
    "depth_by_class",
    "knn_accuracy_by_probe",
    "depth_by_factor",
    "score_with_depth",
    "score_correlations",
    "depth_by_k",
    "depth_by_reference",
    "probe_table",
)
"""of every run"""

HISTORY_FIGURES = ("training_curves",)
"""of runs whose network was trained here"""

TRAIN_FIGURES = ("train_and_test_depth", "self_voting")
"""of runs whose training images are studied too"""

ENSEMBLE_FIGURES = (
    "four_corners",
    "corner_galleries",
    "consensus_by_depth",
    "reliability",
)
"""of all networks of one dataset and model together"""


def run_figures(*, trained: bool, train_studied: bool) -> tuple[str, ...]:
    """Names of the figures of one run, in the order of the page.

    Parameters
    ----------
    trained : bool
        Whether the network was trained here: weights that were given have no history.
    train_studied : bool
        Whether training images are studied too.
    """
    first, *rest = FIGURES
    return (
        first,
        *(HISTORY_FIGURES if trained else ()),
        *rest,
        *(TRAIN_FIGURES if train_studied else ()),
    )


def drawn(names: tuple[str, ...]) -> list[str]:
    """The files of figures: each is drawn twice."""
    return [f"{name}.{kind}" for name in names for kind in ("svg", "png")]
