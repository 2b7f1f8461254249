"""The sections of the chapter, in their order."""

from depthlens.chapters.chapter import Chapter
from depthlens.chapters.representation import (
    class_means,
    data_size,
    depth,
    embedding,
    errors,
    kernels,
    power_law,
)

CHAPTER = Chapter(
    introduction=(
        "How much better a network becomes with more images, what its first filters look like, "
        "which classes it confuses, what its last features know, and which images are hard for "
        "it. Every measurement is over several seeds.",
    ),
    sections=tuple(
        part.section
        for part in (data_size, power_law, kernels, errors, embedding, class_means, depth)
    ),
)
