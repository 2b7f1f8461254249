"""What a network has learned: how much from how many images, and what its features know."""
