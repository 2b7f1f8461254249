"""Every chapter of experiments, in the order of the study."""

from depthlens.chapters.benchmarks_of_difficulty.contents import CHAPTER as BENCHMARKS
from depthlens.chapters.inductive_bias.contents import CHAPTER as INDUCTIVE_BIAS
from depthlens.chapters.representation.contents import CHAPTER as REPRESENTATION

CHAPTERS = (BENCHMARKS, REPRESENTATION, INDUCTIVE_BIAS)
"""each is a target of its own"""
