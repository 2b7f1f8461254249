"""Prediction depth without the workflow: on a reader's own network and images."""
