"""What networks are at the end of their training, and what they say wrongly of shifted edges."""

import pandas as pd

RECIPES = {"large_kernels": "large kernels", "small_kernels": "small kernels"}
_NO_EDGE = "none"


def at_the_end(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the last epoch of each recipe."""
    return table[table["epoch"] == table.groupby("recipe")["epoch"].transform("max")]


def mistakes(answers: pd.DataFrame) -> pd.DataFrame:
    """What networks say wrongly of images with an edge, at the end.

    Parameters
    ----------
    answers : DataFrame
        With the columns `dataset`, `recipe`, `architecture`, `seed`, `epoch`, `label` and
        `prediction`; of three classes, one of which is none.

    Returns
    -------
    DataFrame
        One row a network: the first four; `edges`: how many images have an edge; `errors`: of how
        many of these the answer is wrong; `none`: of how many it is none; `swapped`: of how many
        it is the other orientation.
    """
    ends = at_the_end(answers)
    ends = ends[ends["label"] != _NO_EDGE]
    wrong, none = ends["prediction"] != ends["label"], ends["prediction"] == _NO_EDGE
    counted = ends.assign(edges=1, errors=wrong, none=none, swapped=wrong & ~none)
    keys = ["dataset", "recipe", "architecture", "seed"]
    kinds = ["edges", "errors", "none", "swapped"]
    return counted.groupby(keys, sort=False)[kinds].sum().astype(int).reset_index()
