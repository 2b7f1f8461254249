"""Measurements behind the numbers in docs/: each is a script of its own."""
