"""Accuracy with and without a permutation of the pixels."""

import pandas as pd

WAYS = {False: "pixels in place", True: "pixels moved"}


def validated(table: pd.DataFrame) -> pd.DataFrame:
    """The rows about validation images."""
    return table[table["split"] == "validation"]


def over_images(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy over the numbers of images: a row a seed, a column a network and way.

    A seed that lacks a number of images that other networks were trained on has none.
    """
    by_images = rows.pivot(
        index="seed", columns=["architecture", "permuted", "images"], values="accuracy"
    )
    return by_images.T.groupby(level=["architecture", "permuted"]).mean(skipna=False).T


def mlp_of_as_many(table: pd.DataFrame, of_images: pd.DataFrame) -> pd.DataFrame:
    """Validation rows of the MLP trained on as many images as the networks of a table.

    Parameters
    ----------
    table, of_images : DataFrame
        `permuted_kernel_size` and `permuted`.
    """
    examples = set(table.loc[table["split"] == "train", "examples"])
    trained = of_images[(of_images["split"] == "train") & of_images["examples"].isin(examples)]
    rows = validated(of_images)
    return rows[(rows["architecture"] == "mlp") & rows["images"].isin(set(trained["images"]))]
