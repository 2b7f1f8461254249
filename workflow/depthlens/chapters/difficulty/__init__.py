"""Which images are hard for a network, and why: prediction depth."""
