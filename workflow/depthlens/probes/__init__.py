"""Probes: the points of a network where its activations are read."""
