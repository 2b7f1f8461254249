"""Images that do not belong: what every detector says of them, and of those that do."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from depthlens import trial
from depthlens.datasets.corruptions import AMOUNTS, corrupt, fitted
from depthlens.depth import prediction_depth
from depthlens.errors import StudyError
from depthlens.knn.points import Array, Normalized
from depthlens.knn.search import nearest
from depthlens.knn.sweep import Queries
from depthlens.scores import outputs
from depthlens.tables import Images
from depthlens.training.loop import Progress

SEVERITIES = (1, 3, 5)
"""of those of CIFAR-10-C"""


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> pd.DataFrame:
    """Train without some classes, then look at images that belong and at images that do not.

    Parameters
    ----------
    cell : mapping
        `dataset`, `seed`, and `other`: another dataset, absent where there is none.
    settings : mapping
        `recipe`, `n_neighbors` and `held_out_classes`.

    Returns
    -------
    DataFrame
        `images` (known, held_out, other, noise, blur, contrast), `severity` (0: none), `measure`,
        `detector`, `value`, `n`: the mean depth of each set and, where their true class is one
        that the network knows, the accuracy; then each detector's area under the ROC curve
        against the `n_known` known images. `held_out` names the classes that are held out.

    Raises
    ------
    StudyError
        If fewer than two classes would be left.
    """
    recipe, seed = settings["recipe"], cell["seed"]
    train, test = images[cell["dataset"]]
    held_out = held_out_classes(train.classes, settings["held_out_classes"], seed=seed)
    generators = [np.random.default_rng([seed, purpose]) for purpose in range(1, 7)]
    known_train, _ = split_classes(train, held_out)
    known_test, unknown = split_classes(test, held_out)
    known_train = trial.draw(known_train, recipe["train_examples"], generators[0])
    known = trial.draw(known_test, recipe["test_examples"], generators[1])
    sets = {("held_out", 0): trial.draw(unknown, recipe["test_examples"], generators[2])}
    if "other" in cell:
        other = trial.draw(images[cell["other"]][1], recipe["test_examples"], generators[3])
        shape = known.images.shape[1:]
        sets["other", 0] = other._replace(images=fitted(other.images, shape))
    for corruption in AMOUNTS:
        for severity in SEVERITIES:
            changed = corrupt(known.images, corruption, severity=severity, generator=generators[4])
            sets[corruption, severity] = known._replace(images=changed)
    trained = trial.fit(
        known_train,
        known,
        recipe=trial.Recipe.of(recipe),
        seed=seed,
        progress=progress,
    )
    k = settings["n_neighbors"]
    seen_train, seen_known, *seen = trial.see(
        trained.network, known_train, [known, *sets.values()], n_neighbors=k
    )
    reference = _detectors(seen_known, seen_train, n_neighbors=k, generator=generators[5])
    rows = [*_of_images("known", 0, seen_known, known.labels)]
    for ((name, severity), split), those in zip(sets.items(), seen, strict=True):
        labels = split.labels if name in AMOUNTS else None
        rows += _of_images(name, severity, those, labels)
        found = _detectors(those, seen_train, n_neighbors=k, generator=generators[5])
        for detector, values in found.items():
            rows.append(
                {
                    "images": name,
                    "severity": severity,
                    "measure": "auroc",
                    "detector": detector,
                    "value": auroc(reference[detector], values),
                    "n": len(values),
                }
            )
    return pd.DataFrame(rows).assign(
        n_known=len(known.labels),
        held_out=", ".join(train.classes[index] for index in held_out),
    )


def held_out_classes(classes: list[str], n: int, *, seed: int) -> list[int]:
    """The classes that a network of this seed never sees, ascending.

    Raises
    ------
    StudyError
        If fewer than two are left.
    """
    if len(classes) - n < 2:
        raise StudyError(
            f"benchmarks_of_difficulty.foreign: without {n} of its {len(classes)} classes a "
            "dataset has no two left to learn; set held_out_classes lower"
        )
    generator = np.random.default_rng([seed, 0])
    return sorted(generator.choice(len(classes), n, replace=False).tolist())


def split_classes(split: Images, held_out: list[int]) -> tuple[Images, Images]:
    """The images without some classes, whose labels count on from 0, and those of these classes.

    Returns
    -------
    (Images, Images)
        The second with labels and classes as they were.
    """
    out = np.isin(split.labels, held_out)
    kept = [index for index in range(len(split.classes)) if index not in held_out]
    known = trial.take(split, np.flatnonzero(~out))
    known = known._replace(
        labels=np.searchsorted(kept, known.labels).astype(known.labels.dtype),
        classes=[split.classes[index] for index in kept],
    )
    return known, trial.take(split, np.flatnonzero(out))


def auroc(known: NDArray[np.floating], foreign: NDArray[np.floating]) -> float:
    """Chance that a foreign image has the larger value of the two, ties counting half."""
    truth = np.repeat([0, 1], [len(known), len(foreign)])
    return float(roc_auc_score(truth, np.concatenate([known, foreign])))


def ranks_among(
    references: NDArray[np.floating], values: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Share of the references of each column that are not larger than each value.

    Parameters
    ----------
    references : float array, shape (n_references, n_columns)
    values : float array, shape (n, n_columns)

    Returns
    -------
    float64 array, shape (n, n_columns)
        0 … 1.
    """
    columns = [
        np.searchsorted(np.sort(reference), column, side="right")
        for reference, column in zip(references.T, values.T, strict=True)
    ]
    return np.stack(columns, axis=1) / len(references)


def _detectors(
    seen: trial.Seen,
    train: trial.Seen,
    *,
    n_neighbors: int,
    generator: np.random.Generator,
) -> dict[str, NDArray[np.floating]]:
    """What each detector says of each image: the more, the more foreign."""
    # The features at unit length, as Sun et al. (2022), section 3, have them.
    features = Normalized(Array(seen.features)), Normalized(Array(train.features))
    near = nearest(
        [Queries(features[0])], features[1], n_neighbors=n_neighbors, ranks=[n_neighbors]
    )[0]
    return {
        "random": generator.random(len(seen.logits)),
        "confidence": -outputs.confidence(seen.logits),
        "entropy": outputs.entropy(seen.logits),
        "output_margin": -outputs.output_margin(seen.logits),
        "depth": seen.depth,
        "depth_last_probe": prediction_depth(seen.knn, seen.knn[:, -1]),
        "feature_distance": near.distances[:, -1],
        "distance_ranks": ranks_among(train.distance, seen.distance).mean(axis=1),
    }


def _of_images(
    name: str, severity: int, seen: trial.Seen, labels: NDArray[np.integer] | None
) -> Iterator[dict]:
    about = {"images": name, "severity": severity, "detector": "", "n": len(seen.logits)}
    yield {**about, "measure": "mean_depth", "value": float(seen.depth.mean())}
    if labels is not None:
        accuracy = float((seen.prediction == labels).mean())
        yield {**about, "measure": "accuracy", "value": accuracy}
