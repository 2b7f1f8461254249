"""Finding wrong labels: every score as a detector, on labels that were made wrong."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from depthlens import trial
from depthlens.chapters.benchmarks_of_difficulty.experiments.noise import corrupt
from depthlens.scores.catalogue import SCORES
from depthlens.tables import Images
from depthlens.training.loop import Progress

_SNAPSHOTS, _GRADIENT_EXAMPLES = 5, 600
_DEPTHS = ("depth", "depth_label", "depth_self_voting")
HARDER = {name: 1 for name in (*_DEPTHS, "random")} | {score.name: score.harder for score in SCORES}
"""of each score +1 if harder images have larger values, -1 if smaller"""


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> pd.DataFrame:
    """Train on labels of which a share is wrong, and rank the training images by every score.

    Parameters
    ----------
    cell : mapping
        `dataset`, `kind`, `rate`, `seed`.
    settings : mapping
        `recipe`, `n_neighbors`, `early_epoch`.

    Returns
    -------
    DataFrame
        One row a score: `score`, `auroc`, `auprc` of telling wrong labels from right ones, `n`
        images, `wrong` labels among them; and of the network `train_accuracy` on the labels that
        it was given, `test_accuracy`.
    """
    recipe, seed = settings["recipe"], cell["seed"]
    generator = np.random.default_rng([seed, 0])
    train, test = (
        trial.draw(split, recipe[f"{name}_examples"], generator)
        for name, split in zip(("train", "test"), images[cell["dataset"]], strict=True)
    )
    noisy = corrupt(
        train.images,
        train.labels,
        kind=cell["kind"],
        rate=cell["rate"],
        n_classes=len(train.classes),
        generator=np.random.default_rng([seed, 1]),
    )
    given = train._replace(labels=noisy)
    trained = trial.fit(
        given,
        test,
        recipe=trial.Recipe.of(recipe),
        seed=seed,
        n_snapshots=min(_SNAPSHOTS, recipe["epochs"]),
        progress=progress,
    )
    (seen,) = trial.see(trained.network, given, n_neighbors=settings["n_neighbors"])
    scores = trial.scores(
        trained,
        given,
        seen,
        early_epoch=settings["early_epoch"],
        gradient_examples=_GRADIENT_EXAMPLES,
    )
    scores["random"] = np.random.default_rng([seed, 2]).random(len(scores))
    found = detection(scores, noisy != train.labels)
    last = trained.epochs[-1]
    return found.assign(
        train_accuracy=float(scores["correct"].mean()), test_accuracy=last.test_accuracy
    )


def detection(scores: pd.DataFrame, wrong: NDArray[np.bool_]) -> pd.DataFrame:
    """How well each score tells wrong labels from right ones.

    Parameters
    ----------
    scores : DataFrame
        One row an image; columns that are no scores are left out. Images whose score is
        NaN do not count.
    wrong : bool array, shape (n_images,)

    Returns
    -------
    DataFrame
        `score`; `auroc`, 0.5 by chance; `auprc`, average precision, `wrong` / `n` by chance; `n`,
        `wrong`. Both measures are NaN where not both kinds of label are among the images.
    """
    rows = []
    for name in (name for name in HARDER if name in scores):
        values = HARDER[name] * scores[name].to_numpy(np.float64)
        # What is infinite is harder or easier than every number, and no more.
        values = np.nan_to_num(values, nan=np.nan, posinf=1e300, neginf=-1e300)
        known = ~np.isnan(values)
        truth = wrong[known]
        both = 0 < truth.sum() < len(truth)
        rows.append(
            {
                "score": name,
                "auroc": roc_auc_score(truth, values[known]) if both else np.nan,
                "auprc": average_precision_score(truth, values[known]) if both else np.nan,
                "n": len(truth),
                "wrong": int(truth.sum()),
            }
        )
    return pd.DataFrame(rows)
