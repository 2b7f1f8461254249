"""Scores of example difficulty beside prediction depth: arrays in, arrays out."""
