"""How fast, how large and how exact the k-NN engine is; see docs/performance.md."""
