"""Who said what chapters put to the test: how claims name sources that are no papers.

A claim's `source` is a paper (authors, year, where it stands), one of these and its question, as in
f"{INDUCTIVE_BIAS}, question 5", or begins with `OURS`.
"""

DIFFICULTY = "CS 182, homework on example difficulty"
MNIST = "CS 148, MNIST analysis"
INDUCTIVE_BIAS = "CS 182, homework on inductive bias"
NETWORKS = "Technion 236781, homework 2"
WORKED_ANSWERS = "CS 182, worked answers"
COURSES = (DIFFICULTY, MNIST, INDUCTIVE_BIAS, NETWORKS, WORKED_ANSWERS)
OURS = "ours"
