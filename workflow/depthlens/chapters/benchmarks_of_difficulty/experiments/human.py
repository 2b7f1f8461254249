"""Depth beside what people said of the same images, from files that a user has."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from depthlens import trial
from depthlens.chapters.benchmarks_of_difficulty.experiments.label_noise import HARDER, detection
from depthlens.datasets import plain_pickle
from depthlens.errors import StudyError
from depthlens.tables import Images, class_type
from depthlens.training.loop import Progress

UNCERTAINTY, LABEL_ERRORS = "uncertainty", "label errors"
_KEY = "chapters.benchmarks_of_difficulty.human"
_LABELS = ("random_label1", "worse_label")
"""arrays of a dictionary of CIFAR-10N, the first that is there: what one person said, or the worst
of three"""


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> pd.DataFrame:
    """Rank test images against what people were unsure of, training images against their errors.

    Parameters
    ----------
    cell : mapping
        `dataset`, `seed`.
    settings : mapping
        `recipe`, `n_neighbors`, `early_epoch`; `files`, by dataset a mapping with the paths
        `counts` and `labels`, either of which may be None.

    Returns
    -------
    DataFrame
        One row a question and score: `question`, `score`, `value`, `n` images; of label errors
        `wrong`, how many there are. Of "uncertainty" the value is the Spearman correlation of a
        score of test images, signed so that harder is larger, with the entropy of the answers; of
        "label errors" the AUROC of a score of training images of a network that learned from
        people's labels. NaN where a measure does not exist. No rows of a file that is not named.

    Raises
    ------
    StudyError
        If a file is missing, damaged, or is not about these images.
    """
    recipe, seed = settings["recipe"], cell["seed"]
    files = settings["files"][cell["dataset"]]
    whole = images[cell["dataset"]]
    answers = read_counts(files["counts"], whole[1]) if files["counts"] else None
    labels = read_labels(files["labels"], whole[0]) if files["labels"] else None
    train, test = (
        trial.draw(split, recipe[f"{name}_examples"], np.random.default_rng([seed, place]))
        for place, (name, split) in enumerate(zip(("train", "test"), whole, strict=True))
    )
    found = []
    if answers is not None:
        rows = _scores(train, test, seed=seed, settings=settings, progress=progress, of_test=True)
        found.append(agreement(rows, entropy(answers[test.example_id])))
    if labels is not None:
        given = train._replace(labels=labels[train.example_id])
        rows = _scores(given, test, seed=seed, settings=settings, progress=progress, of_test=False)
        errors = detection(rows, given.labels != train.labels).rename(columns={"auroc": "value"})
        found.append(errors.drop(columns="auprc").assign(question=LABEL_ERRORS))
    columns = ["question", "score", "value", "n", "wrong"]
    return pd.concat(found).reindex(columns=columns) if found else pd.DataFrame(columns=columns)


def entropy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy of each row of counts, nats: 0 where all answers are one class."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    return stats.entropy(shares, axis=1)


def agreement(rows: pd.DataFrame, unsure: NDArray[np.float64]) -> pd.DataFrame:
    """Spearman correlation of every score of some images with how unsure people are of them."""
    found = []
    for name in (name for name in HARDER if name in rows):
        values = HARDER[name] * rows[name].to_numpy(np.float64)
        known = ~np.isnan(values)
        defined = len(set(values[known])) > 1 and np.ptp(unsure[known]) > 0
        value = stats.spearmanr(values[known], unsure[known]).statistic if defined else np.nan
        found.append((UNCERTAINTY, name, float(value), int(known.sum())))
    return pd.DataFrame(found, columns=["question", "score", "value", "n"])


def read_counts(path: Path | str, test: Images) -> NDArray[np.float64]:
    """How often people gave each class to each test image, as cifar10h-counts.npy has it.

    Returns
    -------
    float array, shape (n, n_classes)
        Row i is about the image whose example_id is i.

    Raises
    ------
    StudyError
        If the file is missing or damaged, or is no such table of these images.
    """
    counts = _array(plain_pickle.read_npy(path), path)
    n, n_classes = int(test.example_id.max()) + 1, len(test.classes)
    if counts.ndim != 2 or counts.shape[1] != n_classes or len(counts) < n:
        raise StudyError(
            f"{_KEY}: {path}: an array of shape {counts.shape}; it must hold a row for each of "
            f"the {n} test images and a column for each of the {n_classes} classes"
        )
    counts = counts.astype(np.float64)
    if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.sum(axis=1).all()):
        raise StudyError(
            f"{_KEY}: {path}: counts of answers are numbers from 0 on, and every image has one"
        )
    return counts


def read_labels(path: Path | str, train: Images) -> NDArray[np.integer]:
    """The class that somebody gave each training image.

    Parameters
    ----------
    path : path
        A .npy file of whole numbers, shape (n,), or the dictionary of arrays that CIFAR-10N is
        distributed as: `random_label1` is taken, or else `worse_label`. Where it has
        `clean_label`, that must be the labels of these images, or their order is another.

    Returns
    -------
    int array, shape (n,), of their `tables.class_type`
        Entry i is about the image whose example_id is i.

    Raises
    ------
    StudyError
        If the file is missing or damaged, or is not about these images.
    """
    held = plain_pickle.read_npy(path)
    clean = None
    if type(held) is dict:
        name = next((name for name in _LABELS if name in held), None)
        if name is None:
            raise StudyError(
                f"{_KEY}: {path}: a dictionary without {' or '.join(_LABELS)}; it has "
                f"{', '.join(map(str, list(held)[:10])) or 'nothing'}"
            )
        clean = _array(held["clean_label"], path) if "clean_label" in held else None
        held = held[name]
    labels = _array(held, path)
    n, n_classes = int(train.example_id.max()) + 1, len(train.classes)
    for values in (labels, labels if clean is None else clean):
        if values.ndim != 1 or values.dtype.kind not in "iu" or len(values) < n:
            raise StudyError(
                f"{_KEY}: {path}: an array of {values.dtype} of shape {values.shape}; it must "
                f"hold a whole number for each of the {n} training images"
            )
    if not ((labels >= 0) & (labels < n_classes)).all():
        raise StudyError(
            f"{_KEY}: {path}: labels from {labels.min()} to {labels.max()}; the classes of these "
            f"images are 0 to {n_classes - 1}"
        )
    if clean is not None and (clean[train.example_id] != train.labels).any():
        raise StudyError(
            f"{_KEY}: {path}: its clean_label is not the labels of these images; take the file in "
            "the order of the dataset"
        )
    return labels.astype(class_type(n_classes))


def _array(held: object, path: Path | str) -> NDArray:
    if not isinstance(held, np.ndarray) or held.dtype.kind not in "iuf":
        raise StudyError(f"{_KEY}: {path}: holds no array of numbers")
    return held


def _scores(
    train: Images,
    test: Images,
    *,
    seed: int,
    settings: Mapping,
    progress: Progress,
    of_test: bool,
) -> pd.DataFrame:
    trained = trial.fit(
        train, test, recipe=trial.Recipe.of(settings["recipe"]), seed=seed, progress=progress
    )
    seen_train, seen = trial.see(
        trained.network, train, [test], n_neighbors=settings["n_neighbors"]
    )
    rows = trial.scores(
        trained,
        train,
        seen_train,
        early_epoch=settings["early_epoch"],
        queries=test if of_test else None,
        seen=seen if of_test else None,
    )
    rows["random"] = np.random.default_rng([seed, 2]).random(len(rows))
    # No gradients of images were asked for.
    return rows.dropna(axis="columns", how="all")
