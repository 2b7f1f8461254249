"""Leaving a network early: by the neighbours at its probes, or by heads trained for it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import stats

from depthlens import trial
from depthlens.models import devices, inputs, macs, networks
from depthlens.models.multi_exit import STAGES, JointLoss, MultiExit, multiply_accumulates
from depthlens.probes.plan import Probe, plan
from depthlens.probes.record import Recorder
from depthlens.scores import outputs
from depthlens.tables import Images
from depthlens.training.loop import Progress

ENTROPIES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4)
"""thresholds of the curve, nats; the configured one is added"""
SHARES_OF_VOTES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PROBES_IN_A_ROW = (2, 3, 4, 5, 6, 8)
CONFIDENT = 0.9
"""the share of votes that is `configured`"""

_FORWARD_BATCH = 250


def experiment(
    images: Mapping[str, tuple[Images, Images]],
    *,
    cell: Mapping,
    settings: Mapping,
    progress: Progress,
) -> pd.DataFrame:
    """Train a network with one exit and one with four, and let the test images leave both early.

    The two see the same batches in the same order with the same learning rates, and begin with the
    same weights but for the heads that only one has.

    Parameters
    ----------
    cell : mapping
        `dataset` and `seed`.
    settings : mapping
        `recipe`, `n_neighbors`, `exit_loss_weights` (of the last head, of each earlier one) and
        `entropy`, nats.

    Returns
    -------
    DataFrame
        One row an exit and one for all of them (`exit` "all"), for each `kind` and `threshold`:
        `single`, `head` (all images leave at this one), `multi`, `votes` and `stable`, and with
        the suffix `_random` what is to be expected if as many images leave at each exit, drawn at
        random. `share` of the images, their `accuracy`, `macs` of the network up to there and
        `search_macs` of the neighbours, their `mean_depth`; `depth_correlation`: Spearman's, of
        exit and depth; `configured`: what the claims are about; `n` images.

    Raises
    ------
    StudyError
        If the architecture is no ResNet.
    """
    recipe, seed = settings["recipe"], cell["seed"]
    train, test = images[cell["dataset"]]
    train = trial.draw(train, recipe["train_examples"], np.random.default_rng([seed, 0]))
    test = trial.draw(test, recipe["test_examples"], np.random.default_rng([seed, 1]))
    how = trial.Recipe.of(recipe)
    shape = inputs.input_shape({}, train.images.shape[1:])
    n_classes = len(train.classes)
    multi = MultiExit(
        networks.build(how.architecture, n_classes=n_classes, seed=seed, shape=shape),
        n_classes=n_classes,
        seed=seed,
    )
    multi.to(devices.choose("auto", key="device")).to(memory_format=torch.channels_last)
    last, earlier = settings["exit_loss_weights"]
    loss = JointLoss(last=last, earlier=earlier)
    single = trial.fit(train, test, recipe=how, seed=seed, progress=progress).network
    trial.fit(train, test, recipe=how, seed=seed, network=multi, criterion=loss, progress=progress)
    seen = trial.see(single, train, [test], n_neighbors=settings["n_neighbors"])[1]
    correct = seen.prediction == test.labels
    one = torch.zeros(1, *shape, device=trial.device_of(single))
    points = plan(single, "children", one)
    modules = [point.module for point in points if point.kind == "module"]
    costs = macs.up_to_modules(single, one, modules)
    costs = np.array([0] * (len(points) - len(modules)) + costs, np.float64)
    whole = costs[-1]
    rows = [
        *_rows(
            "single", np.zeros(len(correct), int), correct[:, None], depth=seen.depth,
            names=["end"], costs=np.array([whole]),
        )
    ]  # fmt: skip
    rows += _multi_exit(multi, one, test, seen.depth, entropy=settings["entropy"])
    rows += _by_neighbours(
        seen,
        test.labels,
        costs=np.append(costs, whole),
        search=search_costs(single, points, train.images),
    )
    return pd.DataFrame(rows).assign(n=len(test.labels))


def first_exit(leaves: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where each image leaves: at the first place where it may, at the end at the latest.

    Parameters
    ----------
    leaves : bool array, shape (n, n_places)
        Whether it may leave there.

    Returns
    -------
    int array, shape (n,)
        0 … n_places; n_places where it may nowhere.
    """
    return np.where(leaves.any(axis=1), leaves.argmax(axis=1), leaves.shape[1])


def stable(classes: NDArray[np.integer], m: int) -> NDArray[np.bool_]:
    """Whether a probe and the m - 1 before it give an image the same class.

    Parameters
    ----------
    classes : int array, shape (n, n_probes)
    m : int

    Returns
    -------
    bool array, shape (n, n_probes)
        False at the first m - 1.
    """
    same = np.zeros(classes.shape, bool)
    for place in range(m - 1, classes.shape[1]):
        window = classes[:, place - m + 1 : place + 1]
        same[:, place] = (window == window[:, :1]).all(axis=1)
    return same


def search_costs(
    network: torch.nn.Module, points: Sequence[Probe], images: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Multiply-accumulates of an exhaustive search at every probe up to each, of one query.

    The squared distance to a reference takes as many as a point has dimensions.
    """
    with Recorder(network, points, dtype=torch.float16) as recorder:
        batch = torch.tensor(images[:1], device=trial.device_of(network))
        dims = [values[0].numel() for values in recorder(batch)[1]]
    return np.cumsum(np.array(dims, np.float64)) * len(images)


def _multi_exit(
    network: MultiExit,
    one: torch.Tensor,
    test: Images,
    depth: NDArray[np.integer],
    *,
    entropy: float,
) -> Iterator[dict]:
    device = trial.device_of(network)
    costs = np.array(multiply_accumulates(network, one.to(device)), np.float64)
    logits: list[list[NDArray]] = [[] for _ in STAGES]
    with torch.inference_mode():
        for start in range(0, len(test.images), _FORWARD_BATCH):
            batch = torch.tensor(test.images[start : start + _FORWARD_BATCH], device=device)
            for place, given in enumerate(network.exits(inputs.network_input(batch))):
                logits[place].append(given.float().cpu().numpy())
    answers = [np.concatenate(pieces) for pieces in logits]
    correct = np.stack([each.argmax(1) == test.labels for each in answers], axis=1)
    entropies = np.stack([outputs.entropy(each) for each in answers[:-1]], axis=1)
    rows_of = partial(_rows, depth=depth, names=STAGES, costs=costs)
    for place in range(len(STAGES)):
        everyone = np.full(len(correct), place)
        rows = rows_of("head", everyone, correct, threshold=place)
        yield from (row for row in rows if row["exit"] == "all")
    for threshold in sorted({*ENTROPIES, entropy}):
        exits = first_exit(entropies < threshold)
        yield from rows_of(
            "multi", exits, correct, threshold=threshold, configured=threshold == entropy
        )
        yield _at_random("multi", exits, correct, threshold=threshold, costs=costs)


def _by_neighbours(
    seen: trial.Seen,
    labels: NDArray[np.integer],
    *,
    costs: NDArray[np.float64],
    search: NDArray[np.float64],
) -> Iterator[dict]:
    """Rows of leaving at a probe, with its k-NN class, or at the end with the network's class.

    `costs` has a place more than there are probes: the end.
    """
    answers = np.concatenate([seen.knn, seen.prediction[:, None]], axis=1)
    correct = answers == labels[:, None]
    shares = seen.votes.max(axis=2) / seen.votes.sum(axis=2)
    search = np.append(search, search[-1])
    rows_of = partial(
        _rows, depth=seen.depth, names=[*seen.probes, "end"], costs=costs, search=search
    )
    rules = [("votes", share, shares >= share) for share in SHARES_OF_VOTES]
    rules += [("stable", float(m), stable(seen.knn, m)) for m in PROBES_IN_A_ROW]
    for kind, threshold, leaves in rules:
        exits = first_exit(leaves)
        configured = kind == "votes" and threshold == CONFIDENT
        yield from rows_of(kind, exits, correct, threshold=threshold, configured=configured)
        yield _at_random(kind, exits, correct, threshold=threshold, costs=costs, search=search)


def _rows(
    kind: str,
    exits: NDArray[np.integer],
    correct: NDArray[np.bool_],
    *,
    depth: NDArray[np.integer],
    names: Sequence[str],
    costs: NDArray[np.float64],
    search: NDArray[np.float64] | None = None,
    threshold: float = np.nan,
    configured: bool = False,
) -> Iterator[dict]:
    """One row an exit, and one for all; `correct` has a column an exit."""
    search = np.zeros(len(costs)) if search is None else search
    right = correct[np.arange(len(exits)), exits]
    about = {"kind": kind, "threshold": threshold, "configured": configured}
    varies = len(set(exits)) > 1 and len(set(depth)) > 1
    yield {
        **about,
        "exit": "all",
        "share": 1.0,
        "accuracy": float(right.mean()),
        "macs": float(costs[exits].mean()),
        "search_macs": float(search[exits].mean()),
        "mean_depth": float(depth.mean()),
        "depth_correlation": stats.spearmanr(exits, depth).statistic if varies else np.nan,
    }
    for place, name in enumerate(names):
        here = exits == place
        some = here.any()
        yield {
            **about,
            "exit": name,
            "share": float(here.mean()),
            "accuracy": float(right[here].mean()) if some else np.nan,
            "macs": float(costs[place]),
            "search_macs": float(search[place]),
            "mean_depth": float(depth[here].mean()) if some else np.nan,
            "depth_correlation": np.nan,
        }


def _at_random(
    kind: str,
    exits: NDArray[np.integer],
    correct: NDArray[np.bool_],
    *,
    threshold: float,
    costs: NDArray[np.float64],
    search: NDArray[np.float64] | None = None,
) -> dict:
    """What is to be expected if as many images leave at each exit, drawn at random."""
    shares = np.bincount(exits, minlength=correct.shape[1]) / len(exits)
    return {
        "kind": f"{kind}_random",
        "threshold": threshold,
        "configured": False,
        "exit": "all",
        "share": 1.0,
        "accuracy": float(shares @ correct.mean(axis=0)),
        "macs": float(shares @ costs),
        "search_macs": 0.0 if search is None else float(shares @ search),
        "mean_depth": np.nan,
        "depth_correlation": np.nan,
    }
