"""The sections of the chapter, in their order."""

from depthlens.chapters.chapter import Chapter
from depthlens.chapters.inductive_bias import (
    convolutions,
    depth,
    domain_shift,
    edge_detectors,
    few_images,
    filters,
    first_filters,
    five_classes,
    frozen_detectors,
    images,
    longer,
    longer_by_images,
    matching,
    more_classes,
    new_places,
    overfit,
    permuted,
    permuted_filters,
    same_size,
    translation,
)

_PARTS = (
    images,
    overfit,
    few_images,
    same_size,
    frozen_detectors,
    edge_detectors,
    longer,
    longer_by_images,
    first_filters,
    domain_shift,
    new_places,
    permuted,
    permuted_filters,
    more_classes,
    five_classes,
    matching,
    filters,
    convolutions,
    translation,
    depth,
)
CHAPTER = Chapter(
    introduction=(
        "A convolution assumes that what matters is local, and the same wherever it is; an MLP "
        "assumes neither. Small networks on generated images of edges show what such an assumption "
        "is worth, what it costs where it is false, and which images are hard under it. Every "
        "measurement is over several seeds, of images and of networks.",
    ),
    sections=tuple(part.section for part in _PARTS),
)
