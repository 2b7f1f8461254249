"""The sections of the chapter, in their order."""

from depthlens.chapters.benchmarks_of_difficulty import (
    architectures,
    causes,
    early_exit,
    foreign,
    human,
    label_noise,
    labelling,
    linear_probes,
    orders,
    oversampling,
    pruning,
    sayings,
    settling,
    unconverged,
)
from depthlens.chapters.chapter import Chapter

_PARTS = (
    label_noise,
    foreign,
    early_exit,
    pruning,
    oversampling,
    orders,
    labelling,
    settling,
    sayings,
    causes,
    architectures,
    unconverged,
    linear_probes,
    human,
)
CHAPTER = Chapter(
    introduction=(
        "People use difficulty to find wrong labels, to spot foreign images, to stop a network "
        "early and to choose what to train on, and they say a good deal about it. Here each of "
        "these is put to the test, with choosing at random beside it, over several seeds, and "
        "with thresholds that were written down before anything was run.",
    ),
    sections=tuple(part.section for part in _PARTS),
)
