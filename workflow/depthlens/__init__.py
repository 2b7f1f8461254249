"""Which of my examples are hard, and why: prediction depth and a reproducible study of it."""

__all__ = ["KNNClassifier", "measure"]


def __getattr__(name: str) -> object:
    # Imported when it is asked for: torch takes seconds, and most commands do without.
    if name == "KNNClassifier":
        from depthlens.knn.classifier import KNNClassifier

        return KNNClassifier
    if name == "measure":
        from depthlens.measuring.measure import measure

        return measure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
