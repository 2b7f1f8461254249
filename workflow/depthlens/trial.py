"""One network from its first weights to the depth and scores of every example, in memory.

For experiments that train many networks on few images: what the rules of a run do in a dozen jobs
and tables, done in one process. The same functions compute the same numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from depthlens.depth import prediction_depth
from depthlens.knn.points import Array
from depthlens.knn.search import nearest
from depthlens.knn.sweep import Queries
from depthlens.knn.votes import count, vote
from depthlens.models import devices, inputs, networks
from depthlens.probes.plan import Probe, feature_probe, plan
from depthlens.probes.record import Recorder
from depthlens.scores import dynamics, gradients, neighbours, outputs, sampling
from depthlens.tables import Images, class_type
from depthlens.training import loop, schedules

_FORWARD_BATCH = 250
_GRADIENT_BATCH = 100


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is built and trained, but for its seed; see `training.loop`.

    The schedule of the learning rate is `schedules.linear`; images and labels are as they are.
    """

    architecture: str
    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str = "adam"
    decay: float = 0.3
    weight_decay: float = 0.0
    momentum: float = 0.0

    @classmethod
    def of(cls, block: Mapping[str, Any], **other: Any) -> "Recipe":
        """The recipe that a block of config.yaml gives, some of it replaced."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: block[name] for name in names if name in block} | other)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A network and what its training recorded."""

    network: nn.Module
    epochs: list[loop.Epoch]
    snapshots: list[dict[str, torch.Tensor]]
    """weights at evenly spaced epochs, the last one's among them"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a network and the k-NN classifiers on its probes say of some images."""

    probes: list[str]
    logits: NDArray[np.float32]
    """shape (n, n_classes)"""
    features: NDArray[np.float32]
    """shape (n, n_features): activations at the deepest probe before the last linear layer"""
    feature_index: int
    """which probe that is"""
    votes: NDArray[np.uint16]
    """shape (n, n_probes, n_classes): votes of the k nearest training images"""
    distance: NDArray[np.float32]
    """shape (n, n_probes): to the k-th nearest training image"""
    self_voting: NDArray[np.integer] | None = None
    """shape (n, n_probes): k-NN class where each training image is its own first neighbour"""
    knn: NDArray[np.integer] = field(init=False)
    """shape (n, n_probes): class with the most votes, the smallest of those that tie"""
    prediction: NDArray[np.int64] = field(init=False)
    """shape (n,): the network's class"""

    def __post_init__(self) -> None:
        knn = self.votes.argmax(2).astype(class_type(self.votes.shape[2]))
        object.__setattr__(self, "knn", knn)
        object.__setattr__(self, "prediction", self.logits.argmax(1))

    @property
    def depth(self) -> NDArray[np.int16]:
        """Prediction depth against the network's class, 0 … n_probes."""
        return prediction_depth(self.knn, self.prediction)


def draw(split: Images, n: int, generator: np.random.Generator) -> Images:
    """Some images of a split, the classes in equal shares as far as they have images.

    Parameters
    ----------
    split : Images
    n : int
        How many; all of them if there are fewer.
    generator : numpy.random.Generator

    Returns
    -------
    Images
        min(n, n_images), in the order of the split.
    """
    order = generator.permutation(len(split.labels))
    labels = split.labels[order]
    # Rank of each image within its class: the first of every class, then the second, …
    rank = np.empty(len(order), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    return take(split, np.sort(order[np.argsort(rank, kind="stable")[:n]]))


def take(split: Images, rows: NDArray[np.integer]) -> Images:
    """The images of these rows."""
    return split._replace(
        example_id=split.example_id[rows],
        images=split.images[rows],
        labels=split.labels[rows],
        factors={name: values[rows] for name, values in split.factors.items()},
        files=None if split.files is None else [split.files[row] for row in rows],
    )


def fit(
    train: Images,
    test: Images,
    *,
    recipe: Recipe,
    seed: int,
    n_snapshots: int = 0,
    network: nn.Module | None = None,
    prepare: inputs.Prepare = inputs.network_input,
    criterion: loop.Criterion = loop.cross_entropy,
    progress: loop.Progress = lambda batches: batches,
) -> Trained:
    """Train a network on images with the labels they are given.

    Parameters
    ----------
    train, test : Images
    recipe : Recipe
    seed : int
        Of the initial weights and of the order of the examples.
    n_snapshots : int
        States that are kept along the way.
    network : torch.nn.Module, optional
        Train this one, where it lies, instead of building the architecture of the recipe, which
        goes to a GPU if there is one.
    prepare : callable
        Makes of a batch of images what the network takes.
    criterion : callable
        See `training.loop.train`.
    progress : callable
        Wraps the iterable of batches of an epoch.

    Raises
    ------
    StudyError
        If there is no such architecture or it does not take such images.
    """
    if network is None:
        network = new_network(train, recipe=recipe, seed=seed)
    device = device_of(network)
    optimizer = new_optimizer(network, recipe=recipe)
    wanted = set(loop.snapshot_epochs(n_snapshots, recipe.epochs))
    epochs, snapshots = [], []
    for epoch in loop.train(
        network,
        optimizer,
        train_images=train.images,
        train_labels=train.labels,
        test_images=test.images,
        test_labels=test.labels,
        epochs=range(1, recipe.epochs + 1),
        last_epoch=recipe.epochs,
        batch_size=recipe.batch_size,
        schedule=partial(schedules.linear, decay=recipe.decay),
        seed=seed,
        device=device,
        prepare=prepare,
        criterion=criterion,
        progress=progress,
    ):
        epochs.append(epoch)
        if epoch.epoch in wanted:
            state = network.state_dict()
            snapshots.append({name: value.detach().clone() for name, value in state.items()})
    return Trained(network=network, epochs=epochs, snapshots=snapshots)


def new_network(train: Images, *, recipe: Recipe, seed: int) -> nn.Module:
    """The untrained network of a recipe, on a GPU if there is one.

    Parameters
    ----------
    train : Images
        What it is to take, and the classes that it is to tell apart.
    recipe : Recipe
    seed : int
        Of the initial weights.

    Raises
    ------
    StudyError
        If there is no such architecture or it does not take such images.
    """
    n_classes = len(train.classes)
    shape = inputs.input_shape({}, train.images.shape[1:])
    network = networks.build(recipe.architecture, n_classes=n_classes, seed=seed, shape=shape)
    networks.check_fit(network, recipe.architecture, train.images, n_classes=n_classes)
    # Up to a quarter quicker on a CPU, where channels are few.
    return network.to(devices.choose("auto", key="device")).to(memory_format=torch.channels_last)


def new_optimizer(network: nn.Module, *, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer of a recipe."""
    return loop.make_optimizer(
        network,
        recipe.optimizer,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        momentum=recipe.momentum,
    )


def device_of(network: nn.Module) -> torch.device:
    """Where a network lies."""
    return next(network.parameters()).device


def see(
    network: nn.Module,
    train: Images,
    others: Sequence[Images] = (),
    *,
    n_neighbors: int,
    probes: str | Sequence[str] = "children",
    dtype: torch.dtype = torch.float16,
    prepare: inputs.Prepare = inputs.network_input,
) -> list[Seen]:
    """Classify images by their nearest training images at every probe.

    Parameters
    ----------
    network : torch.nn.Module
    train : Images
        The references. They are also the first set of queries, each left out of its own
        neighbours.
    others : sequence of Images
        Further queries; their labels are not looked at.
    n_neighbors : int
        k.
    probes : "children", "blocks" or sequence of str
        See `probes.plan.plan`.
    dtype : torch.dtype
        That activations are rounded to.
    prepare : callable
        Makes of a batch of images what the network takes.

    Returns
    -------
    list of Seen
        Of the training images, then of each of the others.
    """
    few = torch.tensor(train.images[:3], device=device_of(network))
    points = plan(network, probes, prepare(few))
    names = [probe.name for probe in points]
    feature_index = names.index(feature_probe(points))
    sets = [train.images, *(split.images for split in others)]
    recorded = [record(network, points, images, dtype=dtype, prepare=prepare) for images in sets]
    labels, n_classes, k = train.labels, len(train.classes), n_neighbors
    votes: list[list[NDArray[np.number]]] = [[] for _ in sets]
    distances: list[list[NDArray[np.float32]]] = [[] for _ in sets]
    self_voting = []
    ranks = sorted({max(1, k - 1), k})
    for index in range(len(points)):
        arrays = [Array(activations[index]) for _, activations in recorded]
        queries = [Queries(array, exclude_self=place == 0) for place, array in enumerate(arrays)]
        found = nearest(queries, arrays[0], n_neighbors=k, ranks=ranks, device=device_of(network))
        for place, near in enumerate(found):
            votes[place].append(count(labels[near.rows], n_classes))
            distances[place].append(near.distances[:, k - 1])
        own = np.concatenate([labels[:, None], labels[found[0].rows[:, : k - 1]]], axis=1)
        self_voting.append(vote(own))
    return [
        Seen(
            probes=names,
            logits=logits,
            features=activations[feature_index].float().numpy(),
            feature_index=feature_index,
            votes=np.stack(votes[place], axis=1),
            distance=np.stack(distances[place], axis=1),
            self_voting=np.stack(self_voting, axis=1) if place == 0 else None,
        )
        for place, (logits, activations) in enumerate(recorded)
    ]


def scores(
    trained: Trained,
    train: Images,
    seen_train: Seen,
    *,
    early_epoch: int,
    gradient_examples: int | None = 0,
    queries: Images | None = None,
    seen: Seen | None = None,
) -> pd.DataFrame:
    """Depth and every score of the training images, or of the test images, one row each.

    Parameters
    ----------
    trained : Trained
    train, seen_train
        The references, and what is seen of them.
    early_epoch : int
        When EL2N and GraNd are read, 1 …
    gradient_examples : int or None
        Images whose input margin and variance of gradients are computed, None for all; the
        variance needs at least two snapshots.
    queries, seen : optional
        The test images that the training was watched on, and what is seen of them; the training
        images if not given.

    Returns
    -------
    DataFrame, shape (n_images, …)
        `example_id`, `label`, `prediction`, `correct`, `depth`, `depth_label`; of training images
        `depth_self_voting`; then the columns of `scores.catalogue.SCORES` but for `attack_margin`,
        NaN where a score was not computed.
    """
    of_train = queries is None or seen is None
    if queries is None or seen is None:
        queries, seen = train, seen_train
    labels, answers = queries.labels.astype(np.int64), seen.prediction
    met = [epoch.train if of_train else epoch.test for epoch in trained.epochs]
    losses, predictions = (
        np.stack([getattr(outcomes, name) for outcomes in met]) for name in ("loss", "prediction")
    )
    early = met[early_epoch - 1]
    columns = {
        "example_id": queries.example_id,
        "label": queries.labels,
        "prediction": answers.astype(class_type(len(queries.classes))),
        "correct": answers == labels,
        "depth": seen.depth,
        "depth_label": prediction_depth(seen.knn, labels),
    }
    if seen.self_voting is not None:
        columns["depth_self_voting"] = prediction_depth(seen.self_voting, answers)
    columns |= {
        "loss": outputs.loss(seen.logits, labels),
        "confidence": outputs.confidence(seen.logits),
        "output_margin": outputs.output_margin(seen.logits),
        "entropy": outputs.entropy(seen.logits),
        "iteration_learned": dynamics.iteration_learned(predictions, answers),
        "first_learned": dynamics.first_learned(predictions, labels),
        "forgetting_events": dynamics.forgetting_events(predictions, labels),
        "area_under_margin": dynamics.area_under_margin(
            np.stack([outcomes.margin for outcomes in met])
        ),
        "datamap_confidence": dynamics.datamap_confidence(losses),
        "datamap_variability": dynamics.datamap_variability(losses),
        "el2n": early.error_norm,
        "grand": early.gradient_norm,
        **_of_gradients(trained, queries, gradient_examples),
        "knn_disagreement": neighbours.knn_disagreement(seen.votes[:, seen.feature_index], labels),
        "prototype_distance": neighbours.prototype_distance(
            Array(seen.features),
            labels,
            Array(seen_train.features),
            train.labels.astype(np.int64),
            n_classes=len(train.classes),
            leave_one_out=of_train,
        ),
    }
    return pd.DataFrame(columns)


def record(
    network: nn.Module,
    points: Sequence[Probe],
    images: NDArray[np.uint8],
    *,
    dtype: torch.dtype = torch.float16,
    prepare: inputs.Prepare = inputs.network_input,
) -> tuple[NDArray[np.float32], list[torch.Tensor]]:
    """Logits, and the activations at each probe as tensors of shape (n, dims) and a dtype."""
    device = device_of(network)
    logits: list[NDArray[np.float32]] = []
    pieces: list[list[torch.Tensor]] = [[] for _ in points]
    with Recorder(network, points, dtype=dtype, prepare=prepare) as recorder:
        for start in range(0, len(images), _FORWARD_BATCH):
            batch = torch.tensor(images[start : start + _FORWARD_BATCH], device=device)
            given, activations = recorder(batch)
            logits.append(given.float().cpu().numpy())
            for piece, values in zip(pieces, activations, strict=True):
                piece.append(values.flatten(1).cpu())
    return np.concatenate(logits), [torch.cat(piece) for piece in pieces]


def _of_gradients(
    trained: Trained, split: Images, n_examples: int | None
) -> dict[str, NDArray[np.float32]]:
    network = trained.network
    device = device_of(network)
    rows = sampling.choose(split.images, n_examples, seed=0)
    margin, variance = np.full((2, len(split.labels)), np.nan, np.float32)
    labels = torch.tensor(split.labels, device=device).long()
    final = {name: value.detach().clone() for name, value in network.state_dict().items()}
    for batch in _batches(rows):
        seen = torch.tensor(split.images[batch], device=device).float() / 255
        margin[batch] = gradients.input_margin(network, seen, prepare=inputs.network_input).cpu()
        if len(trained.snapshots) > 1:  # of one there is no variance
            parts = []
            for state in trained.snapshots:
                network.load_state_dict(state)
                parts.append(
                    gradients.class_gradients(
                        network, seen, labels[batch], prepare=inputs.network_input
                    )
                )
            network.load_state_dict(final)
            variance[batch] = gradients.variance_of_gradients(torch.stack(parts)).cpu()
    if len(trained.snapshots) > 1 and len(rows):
        variance[rows] = gradients.standardise_within_classes(
            torch.from_numpy(variance[rows]), labels.cpu()[rows]
        ).numpy()
    return {"input_margin": margin, "variance_of_gradients": variance}


def _batches(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(rows), _GRADIENT_BATCH):
        yield rows[start : start + _GRADIENT_BATCH]
