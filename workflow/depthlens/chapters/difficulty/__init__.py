"""Which images are hard for a network, and why: prediction depth."""

# Here and not beside the code that draws them: the workflow lists its outputs from these names
# and should not have to import a plotting library for it.
FIGURES = (
    "sample_grid",
    "training_curves",
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

TRAIN_FIGURES = ("train_and_test_depth", "self_voting")
"""of runs whose training images are studied too"""

ENSEMBLE_FIGURES = (
    "four_corners",
    "corner_galleries",
    "consensus_by_depth",
    "reliability",
)
"""of all networks of one dataset and model together"""
