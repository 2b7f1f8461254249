"""Every chapter of experiments, in the order of the study: each is a target of its own."""

CHAPTERS = {
    "benchmarks_of_difficulty": "Does difficulty deliver?",
    "representation": "What a network has learned",
    "inductive_bias": "What a network assumes",
}
"""titles by the package beside this file"""
