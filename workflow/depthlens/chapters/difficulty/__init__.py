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
    "probe_table",
)
