"""Every chapter of experiments, in the order of the study."""

from depthlens.chapters.benchmarks_of_difficulty.contents import CHAPTER as BENCHMARKS

CHAPTERS = (BENCHMARKS,)
"""each is a target of its own"""
