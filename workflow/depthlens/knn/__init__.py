"""k-nearest-neighbour classification of activations."""
