"""Prediction depth of every example of a split."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from depthlens import tables
from depthlens.depth import prediction_depth
from depthlens.errors import ArtifactError, StudyError

log = logging.getLogger(__name__)

_KNN = ("example_id", "prediction", "sensitivity")
_MEASURED = ("train_accuracy", "min_train_accuracy", "converged", "allow_unconverged")


def run(*, knn: Sequence[Path], predictions: Path, convergence: Path, output: Path) -> None:
    """Write `depth/{split}.parquet`.

    Its depths differ in what the probes must agree with (`depth`: the network's class,
    `depth_last_probe`, `depth_label`: the true class), in k (`depth_by_k`), or, on the training
    split, in that every example votes for itself (`depth_self_voting`: a mistake, to be shown).

    Parameters
    ----------
    knn : sequence of paths
        k-NN classes of each probe, in forward order.

    Raises
    ------
    StudyError
        If the network did not converge and the config does not allow that.
    """
    measured = tables.read_json(convergence)
    if missing := [key for key in _MEASURED if key not in measured]:
        raise ArtifactError(f"{convergence}: lacks {', '.join(missing)}; delete it and run again")
    if not measured["converged"] and not measured["allow_unconverged"]:
        raise StudyError(
            f"{convergence}: the network gets {measured['train_accuracy']:.2%} of its training set "
            f"right, {measured['min_train_accuracy']:.2%} is asked for: difficulty of an "
            "unconverged network means nothing. Raise training.epochs, or set "
            "convergence.allow_unconverged to true; every figure will say so"
        )
    network = tables.read(predictions, ["example_id", "label", "prediction", "confidence"])
    ids, answer = network["example_id"].to_numpy(), network["prediction"].to_numpy()
    probes, tried = [], None
    for path in knn:
        table = tables.read(path)
        if missing := [name for name in _KNN if name not in table.column_names]:
            raise ArtifactError(f"{path}: has no column {', '.join(missing)}; delete it, run again")
        if not np.array_equal(table["example_id"].to_numpy(), ids):
            raise ArtifactError(f"{path}: other examples than {predictions}; delete it, run again")
        made_with = tables.metadata(path)["config"]
        ks = {name: made_with[name] for name in ("n_neighbors", "sensitivity")}
        if tried not in (None, ks):
            raise ArtifactError(f"{path}: other k than {knn[0]}; delete both, run again")
        tried = ks
        probes.append(table)
    classes = np.stack([table["prediction"].to_numpy() for table in probes], axis=1)
    by_k = np.stack([tables.matrix(table["sensitivity"]) for table in probes], axis=1)
    label = network["label"].to_numpy()
    depth = prediction_depth(classes, answer)
    about = tables.describe(
        "depth",
        {},
        {
            "predictions": predictions,
            "convergence": convergence,
            **{f"knn/{path.stem}": path for path in knn},
        },
    )
    columns = {
        "example_id": ids,
        "label": label,
        "prediction": answer,
        "confidence": network["confidence"].to_numpy(),
        "correct": answer == label,
        "knn": classes,
        "depth": depth,
        "depth_last_probe": prediction_depth(classes, classes[:, -1]),
        "depth_label": prediction_depth(classes, label),
        "depth_by_k": np.stack(
            [prediction_depth(by_k[:, :, column], answer) for column in range(by_k.shape[2])],
            axis=1,
        ),
    }
    if all("self_voting" in table.column_names for table in probes):
        own = np.stack([table["self_voting"].to_numpy() for table in probes], axis=1)
        columns["depth_self_voting"] = prediction_depth(own, answer)
    tables.write(
        output,
        columns,
        {
            **about,
            **(tried or {}),
            "probes": [path.stem for path in knn],
            "classes": tables.metadata(predictions)["classes"],
        },
    )
    log.info("mean depth %.2f of %d examples at %d probes", depth.mean(), len(ids), len(knn))
