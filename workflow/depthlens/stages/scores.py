"""Every score of every example of a split, but for depth."""

import contextlib
import copy
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from depthlens import tables
from depthlens.errors import ArtifactError, StudyError
from depthlens.models import checkpoints, devices, inputs
from depthlens.progress import bar
from depthlens.scores import dynamics as training
from depthlens.scores import gradients, neighbours, outputs, sampling
from depthlens.scores.catalogue import SCORES

log = logging.getLogger(__name__)

_MOST_IMAGES = 100
_MOST_VALUES = 2**18
"""Of a batch that is differentiated: more are no faster, and large images would fill the memory."""

_OF_OUTPUTS: dict[str, Callable[[NDArray], NDArray]] = {
    "confidence": outputs.confidence,
    "output_margin": outputs.output_margin,
    "entropy": outputs.entropy,
}


def run(
    *,
    split: str,
    predictions: Path,
    knn: Path,
    features: Path,
    reference_features: Path,
    labels: Path,
    images: Path,
    checkpoint: Path,
    output: Path,
    cfg: dict,
    dynamics: Path | None = None,
    snapshots: Path | None = None,
) -> None:
    """Write `scores/{split}.parquet`: `example_id`, and float32 for each score of the catalogue.

    A score is NaN where it was not computed: what depends on the training, where that was not
    recorded; gradients and attacks, but for a random choice of images.

    Parameters
    ----------
    split : {"train", "test"}
        On the training split no example is part of its own prototype.
    predictions, images : path
        The network's answers, and the images of the split.
    knn, features : path
        Votes and activations of the split at the feature probe.
    reference_features, labels : path
        Activations of the training set there, and its predictions table for its labels.
    checkpoint : path
    output : path
    cfg : dict
        Blocks `scores` and `model`.
    dynamics : path, optional
        What each example of the split went through, epoch by epoch.
    snapshots : path, optional
        States of the network along the way.

    Raises
    ------
    StudyError
        If the training has no epoch `scores.early_epoch`.
    ArtifactError
        If tables are of other examples or networks.
    """
    table = tables.read(predictions, ["example_id", "label", "prediction"])
    ids, label = table["example_id"].to_numpy(), table["label"].to_numpy()
    found = _of_outputs(predictions, label)
    found["knn_disagreement"] = _of_votes(knn, ids, label)
    found["prototype_distance"] = _of_prototypes(
        features, ids, label, reference_features, labels, leave_one_out=split == "train"
    )
    if dynamics:
        answer = table["prediction"].to_numpy()
        found |= _of_training(
            dynamics, ids, label, answer, early_epoch=cfg["scores"]["early_epoch"]
        )
    found |= _of_gradients(images, ids, checkpoint, snapshots, cfg)

    columns = {"example_id": ids.astype(np.int32)}
    for score in SCORES:
        values = found.get(score.name, np.full(len(ids), np.nan))
        columns[score.name] = values.astype(np.float32)
    inputs = {
        "predictions": predictions,
        "knn": knn,
        "features": features,
        "reference_features": reference_features,
        "labels": labels,
        "images": images,
        "checkpoint": checkpoint,
        "dynamics": dynamics,
        "snapshots": snapshots,
    }
    given = {name: path for name, path in inputs.items() if path}
    tables.write(output, columns, tables.describe("scores", {**cfg, "split": split}, given))
    absent = [score.name for score in SCORES if score.name not in found]
    log.info("%d examples%s", len(ids), f"; without {', '.join(absent)}" if absent else "")


def _of_outputs(predictions: Path, labels: NDArray) -> dict[str, NDArray]:
    found = {name: np.empty(len(labels)) for name in ("loss", *_OF_OUTPUTS)}
    for rows, logits in _pieces(tables.Rows(predictions, "logits")):
        found["loss"][rows] = outputs.loss(logits, labels[rows])
        for name, score in _OF_OUTPUTS.items():
            found[name][rows] = score(logits)
    return found


def _of_votes(knn: Path, ids: NDArray, labels: NDArray) -> NDArray[np.float64]:
    votes = tables.Rows(knn, "votes")
    _expect(ids, votes.ids, knn)
    found = np.empty(len(labels))
    for rows, piece in _pieces(votes):
        found[rows] = neighbours.knn_disagreement(piece, labels[rows])
    return found


def _of_prototypes(
    features: Path,
    ids: NDArray,
    labels: NDArray,
    reference_features: Path,
    reference_labels: Path,
    *,
    leave_one_out: bool,
) -> NDArray[np.float64]:
    queries = tables.Rows(features, "activation")
    references = tables.Rows(reference_features, "activation")
    voters = tables.read(reference_labels, ["example_id", "label"])
    _expect(ids, queries.ids, features)
    _expect(voters["example_id"].to_numpy(), references.ids, reference_features)
    if queries.dims != references.dims:
        raise ArtifactError(
            f"{features}: {queries.dims} numbers an example, but {reference_features} has "
            f"{references.dims}; delete both and run again"
        )
    return neighbours.prototype_distance(
        queries,
        labels,
        references,
        voters["label"].to_numpy(),
        n_classes=len(tables.metadata(reference_labels)["classes"]),
        leave_one_out=leave_one_out,
    )


def _of_training(
    dynamics: Path, ids: NDArray, labels: NDArray, answers: NDArray, *, early_epoch: int
) -> dict[str, NDArray]:
    order = tables.read(dynamics, ["epoch", "example_id"])
    n_epochs = len(order) // max(1, len(ids))
    _expect(np.tile(ids, n_epochs), order["example_id"].to_numpy(), dynamics)
    epochs = np.repeat(np.arange(1, n_epochs + 1), len(ids))
    if not np.array_equal(epochs, order["epoch"].to_numpy()):
        raise ArtifactError(f"{dynamics}: lacks an epoch; run the rule that makes it again")
    if early_epoch > n_epochs:
        raise StudyError(
            f"scores.early_epoch: {early_epoch} is beyond the {n_epochs} epochs of {dynamics}"
        )

    def recorded(column: str) -> NDArray:
        """One column, shape (n_epochs, n_examples): more need not be in memory."""
        return tables.read(dynamics, [column])[column].to_numpy().reshape(n_epochs, len(ids))

    predictions, losses = recorded("prediction"), recorded("loss")
    return {
        "iteration_learned": training.iteration_learned(predictions, answers),
        "first_learned": training.first_learned(predictions, labels),
        "forgetting_events": training.forgetting_events(predictions, labels),
        "area_under_margin": training.area_under_margin(recorded("margin")),
        "datamap_confidence": training.datamap_confidence(losses),
        "datamap_variability": training.datamap_variability(losses),
        "el2n": recorded("error_norm")[early_epoch - 1],
        "grand": recorded("gradient_norm")[early_epoch - 1],
    }


def _of_gradients(
    images: Path, ids: NDArray, checkpoint: Path, snapshots: Path | None, cfg: dict
) -> dict[str, NDArray]:
    settings, architecture = cfg["scores"], cfg["model"]["architecture"]
    devices.make_deterministic()
    device = devices.choose("auto", key="scores")
    split = tables.read_images(images)
    _expect(ids, split.example_id, images)
    shape = inputs.input_shape(cfg["model"], split.images.shape[1:])
    network = checkpoints.load_network(
        checkpoint, architecture=architecture, n_classes=len(split.classes), shape=shape
    ).to(device)
    prepare = inputs.prepare(cfg["model"])
    states = _read_snapshots(snapshots, network) if snapshots else []
    chosen = sampling.choose(split.images, settings["gradient_examples"], seed=settings["seed"])
    attacked = sampling.choose(split.images, settings["attack_examples"], seed=settings["seed"])

    def each(
        rows: NDArray, label: str, score: Callable[[torch.Tensor, NDArray], torch.Tensor]
    ) -> NDArray[np.float32]:
        """A score of these rows, batch by batch; NaN elsewhere."""
        step = max(1, min(_MOST_IMAGES, _MOST_VALUES // int(np.prod(shape))))
        batches = [rows[start : start + step] for start in range(0, len(rows), step)]

        def of_batch(batch: NDArray) -> NDArray[np.float32]:
            brightness = torch.tensor(split.images[batch], device=device).float() / 255
            return score(brightness, batch).cpu().numpy()

        found = np.full(len(ids), np.nan, np.float32)
        with _one_thread_a_batch(device) as pool:
            done = bar(pool.map(of_batch, batches), total=len(batches), label=label, unit="batch")
            for batch, values in zip(batches, done, strict=True):
                found[batch] = values
        return found

    found = {
        "input_margin": each(
            chosen,
            "input margin",
            lambda seen, _: gradients.input_margin(network, seen, prepare=prepare),
        ),
        "attack_margin": each(
            attacked,
            "attacks",
            lambda seen, _: gradients.attack_margin(
                network, seen, prepare=prepare, steps=settings["attack_steps"]
            ),
        ),
    }
    if len(states) > 1:  # of one there is no variance
        labels = torch.tensor(split.labels, device=device).long()
        past = [copy.deepcopy(network) for _ in states]
        for then, state in zip(past, states, strict=True):
            then.load_state_dict(state, assign=True)

        def spread(seen: torch.Tensor, rows: NDArray) -> torch.Tensor:
            parts = [
                gradients.class_gradients(then, seen, labels[rows], prepare=prepare)
                for then in past
            ]
            return gradients.variance_of_gradients(torch.stack(parts))

        variance = each(chosen, "variance of gradients", spread)
        variance[chosen] = gradients.standardise_within_classes(
            torch.from_numpy(variance[chosen]), labels.cpu()[chosen]
        ).numpy()
        found["variance_of_gradients"] = variance
    return found


@contextlib.contextmanager
def _one_thread_a_batch(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """As many batches at once as there are threads, each on one.

    Shared by threads, the gradient of a small batch has other last bits for each number of them:
    the scores would depend on the cores. A GPU takes one batch at a time.
    """
    n_threads = torch.get_num_threads()
    workers = n_threads if device.type == "cpu" else 1
    torch.set_num_threads(1)
    try:
        # Threads begin with a number of their own.
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(n_threads)


def _read_snapshots(path: Path, network: nn.Module) -> list[dict[str, torch.Tensor]]:
    """States of the network, in the order of their epochs, on its device."""
    tensors, about = checkpoints.load_tensors(path)
    device = next(network.parameters()).device
    states = []
    for epoch in about.get("epochs", []):
        prefix = f"{epoch}."
        state = {
            name.removeprefix(prefix): tensor.to(device)
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        if {k: v.shape for k, v in state.items()} != {
            k: v.shape for k, v in network.state_dict().items()
        }:
            raise ArtifactError(
                f"{path}: the state of epoch {epoch} is not one of this network; delete it and "
                "run again"
            )
        states.append(state)
    return states


def _pieces(rows: tables.Rows) -> Iterator[tuple[slice, NDArray]]:
    """A table's rows in order, row group by row group."""
    start = 0
    while start < len(rows.ids):
        piece = rows.read(start, len(rows.ids))
        yield slice(start, start + len(piece)), piece
        start += len(piece)


def _expect(ids: NDArray, found: NDArray, path: Path) -> None:
    if not np.array_equal(ids, found):
        raise ArtifactError(
            f"{path}: not about the examples that the other tables are about; run the rule that "
            "makes it again"
        )
