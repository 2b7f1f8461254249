"""How many images the MLP needs to match the convolutional network, and the best of a search."""

from collections.abc import Mapping

import pandas as pd


def all_sizes(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Networks of the sweeps `few_images` and `matching`, those of both sweeps once."""
    table = pd.concat([tables["few_images"], tables["matching"]], ignore_index=True)
    return table.drop_duplicates(["dataset", "architecture", "images", "seed", "split"])


def needed(table: pd.DataFrame) -> pd.DataFrame:
    """How many images the MLP needs to be as good as the convolutional network, seed by seed.

    Parameters
    ----------
    table : DataFrame
        See `all_sizes`.

    Returns
    -------
    DataFrame
        Index: seed. `middle`: the middle number of images of the convolutional network;
        `accuracy`: what it gets with so many; `fewest`: images with which the MLP first gets at
        least as much, NaN if it never does; `times`: that over `middle`, where never counts as
        twice the most images tried.
    """
    rows = table[table["split"] == "validation"]
    cnn, mlp = (
        rows[rows["architecture"] == name].pivot(index="seed", columns="images", values="accuracy")
        for name in ("cnn", "mlp")
    )
    middle = sorted(cnn)[len(cnn.columns) // 2]
    wanted = cnn[middle].reindex(mlp.index).dropna()
    enough = mlp.loc[wanted.index].ge(wanted, axis=0)
    # Of a row the first column that is true: columns ascend.
    fewest = enough.idxmax(axis=1).astype(float).where(enough.any(axis=1))
    return pd.DataFrame(
        {
            "middle": middle,
            "accuracy": wanted,
            "fewest": fewest,
            "times": fewest.fillna(2 * max(mlp)) / middle,
        }
    )


def chosen(search: pd.DataFrame, architecture: str) -> pd.DataFrame:
    """Rows of the candidate with the highest mean validation accuracy, of equals the first."""
    own = search[search["architecture"] == architecture]
    means = own[own["split"] == "validation"].groupby("candidate")["accuracy"].mean()
    # Means of equal values may differ in their last bits.
    return own[own["candidate"] == means.round(12).idxmax()]
