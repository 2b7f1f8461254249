"""How networks are called and coloured in this chapter, and what was trained on how much."""

import pandas as pd

from depthlens.prose import count, some

NETWORKS = {
    "cnn": "convolutional network",
    "mlp": "MLP",
    "cnn_average": "average pooling",
    "cnn_wider": "six filters",
    "cnn_deeper": "four convolutions",
    "cnn_2x2": "2×2 detectors",
    "cnn_sobel": "Sobel's detectors",
}
COLOURS = {
    "cnn": "#0173b2",
    "mlp": "#de8f05",
    "cnn_average": "#56b4e9",
    "cnn_wider": "#029e73",
    "cnn_deeper": "#cc78bc",
    "cnn_2x2": "#029e73",
    "cnn_sobel": "#d55e00",
}


def sizes_of(table: pd.DataFrame, split: str = "train") -> str:
    """How many images there were and how many seeds: "30 training images, 10 seeds".

    Parameters
    ----------
    table : DataFrame
        With the columns `split`, `examples` and `seed`.
    split : str
        Whose images are counted.
    """
    examples = sorted(set(table.loc[table["split"] == split, "examples"]))
    numbers = count(examples[0])
    if len(examples) > 1:
        numbers += f" to {count(examples[-1])}"
    kind = "training" if split == "train" else split
    return f"{numbers} {kind} images, {some(table['seed'].nunique(), 'seed')}"
