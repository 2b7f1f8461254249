"""Every chapter of experiments, in the order of the study."""

from depthlens.chapters.benchmarks_of_difficulty.contents import CHAPTER as BENCHMARKS
from depthlens.chapters.inductive_bias.contents import CHAPTER as INDUCTIVE_BIAS

CHAPTERS = (BENCHMARKS, INDUCTIVE_BIAS)
"""each is a target of its own"""
