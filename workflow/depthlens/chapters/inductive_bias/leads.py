"""One network's lead over another in validation accuracy, by the number of training images."""

import pandas as pd

from depthlens.chapters.inductive_bias.words import NETWORKS, validated
from depthlens.ledger import NotTestableError
from depthlens.prose import count


def lead(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Validation accuracy of one network less that of another: a row a seed, a column a number.

    Raises
    ------
    NotTestableError
        If there is no number of images with which both were trained.
    """
    accuracy = validated(table).pivot(
        index="seed", columns=["architecture", "images"], values="accuracy"
    )
    there = accuracy.columns.get_level_values("architecture")
    if {first, second} <= set(there):
        images = sorted(set(accuracy[first]) & set(accuracy[second]))
        if images:
            return accuracy[first][images] - accuracy[second][images]
    raise NotTestableError(
        f"{NETWORKS[first]} and {NETWORKS[second]} were not trained on equally many images"
    )


def with_fewest(ahead: pd.DataFrame) -> pd.Series:
    """The lead with the fewest images, by seed."""
    return ahead.iloc[:, 0]


def with_most(ahead: pd.DataFrame) -> pd.Series:
    """The lead with the most images, by seed; one number of images does not tell few from many."""
    if len(ahead.columns) < 2:
        raise NotTestableError("networks were trained on one number of images only")
    return ahead.iloc[:, -1]


def tidy(ahead: pd.DataFrame) -> pd.DataFrame:
    """What `lead` gives as rows: `images`, `seed`, `lead`, and whether it is `ahead`."""
    rows = ahead.melt(ignore_index=False, var_name="images", value_name="lead").reset_index()
    return rows.dropna().assign(ahead=lambda rows: (rows["lead"] > 0).astype(float))


def standing(ahead: pd.DataFrame) -> str:
    """In words, with how many numbers of images the mean lead is positive."""
    # The last bits of a mean are no lead.
    positive, tried = int((ahead.mean().round(12) > 0).sum()), len(ahead.columns)
    if tried == 1:
        return "ahead" if positive else "not ahead"
    some = "all" if positive == tried else f"{count(positive) if positive else 'none'} of"
    return f"ahead with {some} {count(tried)} numbers of images"
