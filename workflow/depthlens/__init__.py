"""Which of my examples are hard, and why: prediction depth and a reproducible study of it."""
