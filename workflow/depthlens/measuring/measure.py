"""Prediction depth of a reader's own examples at the probes of a reader's own network."""

import contextlib
import hashlib
import itertools
import logging
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import fx, nn

from depthlens.depth import prediction_depth
from depthlens.errors import StudyError, closest
from depthlens.knn.points import Array, Normalized, Points
from depthlens.knn.search import nearest
from depthlens.knn.sweep import Queries
from depthlens.knn.votes import vote
from depthlens.measuring import suspicion
from depthlens.measuring.examples import Data, Examples, open_examples
from depthlens.models import devices
from depthlens.probes.calls import check_watchable
from depthlens.probes.plan import Probe, feature_probe, plan
from depthlens.probes.record import Recorder, check_finite
from depthlens.progress import bar
from depthlens.provenance import user_code
from depthlens.scores import outputs
from depthlens.tables import class_type

log = logging.getLogger(__name__)

_GIGABYTE = 10**9


def measure(
    model: nn.Module,
    train: Data,
    queries: Data | None = None,
    *,
    probes: str | Sequence[str] = "blocks",
    n_neighbors: int = 30,
    metric: str = "euclidean",
    classes: Sequence[str] | None = None,
    preprocess: Callable[[torch.Tensor], torch.Tensor] | None = None,
    batch_size: int = 64,
    dtype: str = "float32",
    device: str = "auto",
    memory: float = 2.0,
    workdir: str | Path | None = None,
    progress: bool = True,
    return_probabilities: bool = False,
) -> pd.DataFrame:
    """Prediction depth of each query, and what else its neighbours and the network say of it.

    A k-nearest-neighbour classifier on the activations of `train` at each probe of the network
    classifies each query; its depth is the first probe from which all of them give the network's
    class. Activations go to a temporary folder, not into memory, which is taken away at the end.

    Parameters
    ----------
    model : torch.nn.Module
        A classifier: its output is one float tensor of logits, shape (n, n_classes), or an object
        with such `logits`. One logit an image, shape (n,) or (n, 1), is taken as that of class 1,
        beside 0 for class 0. It is left as it was: its mode, its device, its weights, its hooks.
    train : Dataset, DataLoader, or pair (images, labels)
        The examples that the network was trained on: they are the references that vote, with
        their labels. Images, shape (n, …), are fed to the network as they come, as floats of the
        type of its weights: scaling and normalisation are the reader's, and no augmentation
        belongs here: the first batch is looked at twice, and a warning says if it has changed.
        Labels are indexes of the network's outputs. Of a DataLoader it is noted which examples it
        draws; one that draws an example twice is refused.
    queries : as `train`, optional
        Examples that the network was not trained on. Without them the training examples
        themselves are measured, each left out of its own vote. Whichever are measured must come
        in order, so that row i is example i: a DataLoader that does otherwise is refused.
    probes : "blocks", "children" or sequence of str
        Where activations are read: modules, patterns, "input" and "softmax"; see
        `depthlens.probes.plan.plan`.
    n_neighbors : int
        k, how many neighbours vote.
    metric : "euclidean" or "cosine"
        Distance between activations.
    classes : sequence of str, optional
        Names of the network's outputs, for `attrs`; "0", "1", … if not given.
    preprocess : callable, optional
        Makes of a batch of images, on the device, what the network takes, such as floats of bytes.
    batch_size : int
        Images a forward pass; a DataLoader has its own.
    dtype : "float32" or "float16"
        Of the activations on disk.
    device : "auto", "cpu" or "cuda"
        `auto` takes a GPU where there is one.
    memory : float
        GB for the search of neighbours.
    workdir : path, optional
        Where the temporary folder is made; the system's own place if not given.
    progress : bool
        Whether bars are shown.
    return_probabilities : bool
        Whether the table has the columns `logits` and `probabilities`: in each row an array of
        float32, shape (n_classes,).

    Returns
    -------
    DataFrame, one row a query, in the order of `queries` (or `train`)
        `label`, `prediction`, int; `confidence`, softmax of the prediction, float32; `correct`;
        `depth`, 0 … n_probes, with respect to the network's class; `relative_depth`, depth /
        n_probes, float32; `depth_label`, with respect to the label; `loss`, cross-entropy in nats;
        `output_margin`, largest logit less the second;
        `entropy` of the softmax in nats; `knn_disagreement`, share of the k neighbours that have
        another label, at the probe of the features (`probes.plan.feature_probe`);
        `suspicion` of the label, the mean over probes of (votes of the strongest other class -
        votes of the label) / all votes, -1 … 1; `suggested`, the class that would be least
        suspect; `suspect`, whether the suspicion reaches the threshold and another class is
        suggested; `copies`, int32, other training images that are equal to it, and
        `copies_labelled_otherwise`; then one int column a probe, in forward order, with its k-NN
        class. Depths are as the paper has them: all images vote. For suspicion, copies of an image
        have no vote on its label, and of other copies each has its part of one vote.
        `attrs` holds `probes`, `n_neighbors`, `metric`, `classes`, `train_accuracy`,
        `leave_one_out` and `threshold`: its `value`, and what it is worth
        (`measuring.suspicion.Threshold`).

    Raises
    ------
    StudyError
        In one sentence, if anything does not fit together.

    References
    ----------
    Baldock, Maennel, Neyshabur (2021), arXiv 2106.09647, section 2.
    """
    if not isinstance(model, nn.Module):
        raise StudyError(f"model: a torch.nn.Module is needed, not {type(model).__name__}")
    try:
        check_watchable(model)
    except StudyError as error:
        raise _as_argument(error) from None
    _check_numbers(n_neighbors=n_neighbors, batch_size=batch_size, memory=memory)
    _check_word("metric", metric, ("euclidean", "cosine"))
    _check_word("dtype", dtype, ("float32", "float16"))
    _check_word("device", device, ("auto", "cpu", "cuda"))
    where = _device(model, device)
    leave_one_out = queries is None
    references = open_examples(train, name="train", batch_size=batch_size, in_order=leave_one_out)
    sets = {"train": references}
    if queries is not None:
        sets["queries"] = open_examples(
            queries, name="queries", batch_size=batch_size, in_order=True
        )
    if references.n_examples is not None:
        _check_neighbours(n_neighbors, references.n_examples, leave_one_out=leave_one_out)

    with _temporary_folder(workdir) as folder:
        with _borrowed(model, where) as logits_of:
            feed = _Feed(model, preprocess, where)
            first = next(references.batches)
            batches = itertools.chain([first], references.batches)
            sets["train"] = references._replace(batches=batches)
            points = _plan(model, probes, feed, first[0])
            with Recorder(
                model, points, dtype=getattr(torch, dtype), prepare=_as_it_is
            ) as recorder:
                forward = _Forward(recorder, points, folder, feed, classes, progress)
                recorded = {name: forward(name, some, sets) for name, some in sets.items()}
        known, asked = recorded["train"], recorded.get("queries", recorded["train"])
        logits_of.check(known.logits)
        n_classes = known.logits.shape[1]
        names = _class_names(classes, n_classes)
        _check_neighbours(n_neighbors, len(known.labels), leave_one_out=leave_one_out)
        copies = _copies(known, asked, leave_one_out=leave_one_out)
        found, features = [], feature_probe(points)
        neighbours, weights = [], []
        for index, probe in enumerate(points):
            voters = known.points(index, metric)
            near = _neighbours(
                Queries(voters if leave_one_out else asked.points(index, metric), leave_one_out),
                voters,
                n_neighbors=n_neighbors,
                device=where,
                memory=memory * _GIGABYTE,
                probe=probe.name,
                progress=progress,
            )
            voted = known.labels.astype(class_type(n_classes))[near]
            found.append(vote(voted))
            if probe.name == features:
                disagreement = (voted != asked.labels[:, None]).mean(1)
            neighbours.append(voted)
            if copies.exist:
                weights.append(suspicion.weights_of_others(known.contents[near], asked.contents))
    _, once = np.unique(np.stack([asked.contents, asked.labels]), axis=1, return_index=True)
    judged = suspicion.judge(
        neighbours,
        asked.labels,
        n_classes,
        weights=weights or None,
        counted=np.isin(np.arange(len(asked.labels)), once),
    )
    return _table(
        asked,
        np.stack(found, axis=1),
        disagreement,
        judged,
        copies,
        [probe.name for probe in points],
        about={
            "n_neighbors": int(n_neighbors),
            "metric": metric,
            "train_accuracy": known.accuracy,
            "classes": names,
            "leave_one_out": leave_one_out,
        },
        return_probabilities=return_probabilities,
    )


class _Recorded(NamedTuple):
    """What a forward pass over a set of examples gave."""

    labels: NDArray[np.int64]
    contents: NDArray[np.int64]
    """a number that equal images share"""
    logits: NDArray[np.float32]
    files: list[Path]
    """activations of each probe: rows of numbers and nothing else"""
    dtype: np.dtype

    @property
    def accuracy(self) -> float:
        return float((self.logits.argmax(1) == self.labels).mean())

    def points(self, index: int, metric: str) -> Points:
        """The activations at a probe, read from the disk as they are needed."""
        values = np.memmap(self.files[index], self.dtype, "r").reshape(len(self.labels), -1)
        return Normalized(Array(values)) if metric == "cosine" else Array(values)


class _Feed:
    """What the network is given of a batch of images, and what is said when it does not take it."""

    def __init__(
        self,
        model: nn.Module,
        preprocess: Callable[[torch.Tensor], torch.Tensor] | None,
        device: torch.device,
    ) -> None:
        weights = (value for value in model.parameters() if value.is_floating_point())
        self._type = next((weight.dtype for weight in weights), torch.float32)
        self._preprocess, self._device = preprocess, device

    def __call__(self, images: torch.Tensor, name: str) -> torch.Tensor:
        # A copy: neither preprocess nor a network that works in place may change the reader's.
        images = images.to(self._device, copy=True)
        if self._preprocess is not None:
            with user_code.guarded(f"preprocess: a batch of {name} failed"):
                images = self._preprocess(images)
        if not isinstance(images, torch.Tensor) or not images.is_floating_point():
            kind = images.dtype if isinstance(images, torch.Tensor) else type(images).__name__
            raise StudyError(
                f"{name}: the network takes floats, these images are {kind}; scale them as they "
                "were for its training, or let preprocess do it, such as lambda x: x.float() / 255"
            )
        return images.to(self._type)

    @contextlib.contextmanager
    def taken(self, images: torch.Tensor, name: str, cure: str = "") -> Iterator[None]:
        """Whatever a network raises within it is told in one sentence."""
        what = f"model: it does not take a batch of {name}, shape {tuple(images.shape)}"
        try:
            with user_code.guarded(what, cure):
                yield
        except StudyError as error:
            raise _as_argument(error) from None
        except torch.OutOfMemoryError:
            raise StudyError("batch_size: out of GPU memory; lower it") from None


class _Forward:
    """Runs a network over examples and keeps the activations on disk."""

    def __init__(
        self,
        recorder: Recorder,
        probes: Sequence[Probe],
        folder: Path,
        feed: _Feed,
        classes: Sequence[str] | None,
        progress: bool,
    ) -> None:
        self._recorder, self._probes, self._folder = recorder, probes, folder
        self._feed, self._classes, self._progress = feed, classes, progress
        self._shapes: tuple | None = None
        self._contents: dict[bytes, int] = {}

    def __call__(self, name: str, examples: Examples, every: Mapping[str, Examples]) -> _Recorded:
        files = [self._folder / f"{name}-{index}" for index in range(len(self._probes))]
        labels: list[NDArray] = []
        logits: list[NDArray] = []
        contents: list[int] = []
        with contextlib.ExitStack() as opened:
            streams = [opened.enter_context(path.open("wb")) for path in files]
            batches = bar(
                examples.batches,
                label=f"activations of {name}",
                total=examples.n_batches,
                unit="batch",
                hidden=not self._progress,
            )
            n_met = 0
            for images, given in batches:
                contents += map(self._content, images)
                found, activations = self._run(images, name)
                values = [activation.flatten(1).cpu().numpy() for activation in activations]
                self._check(name, found, given, images, values, n_met)
                if not labels and name == "train":  # said at once, not after hours
                    _class_names(self._classes, found.shape[1])
                    self._check_space(values, every)
                self._write(streams, values)
                labels.append(given)
                logits.append(found)
                n_met += len(given)
        recorded = _Recorded(
            np.concatenate(labels),
            np.array(contents),
            np.concatenate(logits),
            files,
            values[0].dtype,
        )
        log.info("%s: %d examples, accuracy %.4f", name, n_met, recorded.accuracy)
        return recorded

    def _content(self, image: torch.Tensor) -> int:
        pixels = image.cpu().flatten().contiguous().view(torch.uint8).numpy()
        digest = hashlib.blake2b(pixels.data, digest_size=16).digest()
        return self._contents.setdefault(digest, len(self._contents))

    def _run(
        self, images: torch.Tensor, name: str
    ) -> tuple[NDArray[np.float32], list[torch.Tensor]]:
        images = self._feed(images, name)
        with self._feed.taken(images, name):
            logits, activations = self._recorder(images)
        return logits.float().cpu().numpy(), activations

    def _check(
        self,
        name: str,
        logits: NDArray[np.float32],
        labels: NDArray[np.int64],
        images: torch.Tensor,
        values: Sequence[NDArray],
        n_met: int,
    ) -> None:
        n_classes = logits.shape[1]
        shapes = tuple(images.shape[1:]), n_classes, tuple(value.shape[1] for value in values)
        if self._shapes is None and _are_probabilities(logits):
            raise StudyError(
                "model: its outputs are probabilities, each row sums to 1; measure takes logits: "
                "leave the softmax at its end out"
            )
        self._shapes = self._shapes or shapes
        if shapes != self._shapes:
            raise StudyError(
                f"{name}: images of shape {shapes[0]} where others have {self._shapes[0]}, or "
                "activations whose size changes from batch to batch; both must stay the same"
            )
        if not np.isfinite(logits).all():
            row = n_met + int(np.argmin(np.isfinite(logits).all(1)))
            raise StudyError(f"{name}: the network's output for image {row} is infinite or NaN")
        if labels.max() >= n_classes:
            row = int(np.argmax(labels >= n_classes))
            raise StudyError(
                f"{name}: the label of image {n_met + row} is {labels[row]}, but the network has "
                f"{n_classes} outputs, 0 … {n_classes - 1}"
            )
        for probe, value in zip(self._probes, values, strict=True):
            check_finite(value, probe, range(n_met, n_met + len(labels)), key="dtype")

    def _check_space(self, values: Sequence[NDArray], every: Mapping[str, Examples]) -> None:
        one = sum(value[0].nbytes for value in values)
        needed = one * sum(examples.n_examples or 0 for examples in every.values())
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise StudyError(
                f"workdir: the activations take {needed / _GIGABYTE:.1f} GB, and "
                f"{self._folder.parent} has {free / _GIGABYTE:.1f}; name another folder, take "
                "fewer probes, or set dtype to float16"
            )

    def _write(self, streams: Sequence[BinaryIO], values: Sequence[NDArray]) -> None:
        try:
            for stream, value in zip(streams, values, strict=True):
                stream.write(np.ascontiguousarray(value).data)
        except OSError as error:
            raise StudyError(
                f"workdir: the activations cannot be written to {self._folder.parent} "
                f"({error.strerror}); name another folder"
            ) from None


def _are_probabilities(logits: NDArray[np.float32]) -> bool:
    return bool((logits >= 0).all() and np.allclose(logits.sum(1), 1, rtol=0, atol=1e-4))


def _as_it_is(images: torch.Tensor) -> torch.Tensor:
    return images


def _as_argument(error: StudyError) -> StudyError:
    """A message that names our argument and not the key of config.yaml."""
    return StudyError(str(error).removeprefix("activations.").replace("models:", "model:", 1))


def _plan(
    model: nn.Module, probes: str | Sequence[str], feed: _Feed, images: torch.Tensor
) -> list[Probe]:
    images = feed(images[:3], "train")
    exported = isinstance(model, fx.GraphModule)
    cure = "; export it with a free number of images, by dynamic_shapes" if exported else ""
    with feed.taken(images, "train", cure):
        points = plan(model, probes, images)
    if not points:
        raise StudyError("probes: at least one is needed")
    return points


def _check_numbers(*, n_neighbors: int, batch_size: int, memory: float) -> None:
    for name, value in (("n_neighbors", n_neighbors), ("batch_size", batch_size)):
        if not isinstance(value, int | np.integer) or not 1 <= value <= 65_535:
            raise StudyError(f"{name}: {value!r} is not a whole number from 1 to 65535")
    if not memory > 0:
        raise StudyError(f"memory: {memory!r} is not greater than 0")


def _check_word(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise StudyError(f"{name}: unknown {value!r}{closest(value, known)}")


def _check_neighbours(n_neighbors: int, n_examples: int, *, leave_one_out: bool) -> None:
    if n_neighbors > n_examples - leave_one_out:
        others = " other" if leave_one_out else ""
        raise StudyError(
            f"n_neighbors: {n_neighbors} neighbours asked for, but there are "
            f"{n_examples - leave_one_out}{others} training examples; lower it"
        )


def _class_names(classes: Sequence[str] | None, n_classes: int) -> list[str]:
    names = [str(name) for name in (range(n_classes) if classes is None else classes)]
    if len(names) != n_classes:
        raise StudyError(f"classes: {len(names)} names, but the network has {n_classes} outputs")
    return names


def _device(model: nn.Module, device: str) -> torch.device:
    homes = {value.device for value in (*model.parameters(), *model.buffers())}
    if any(home.type == "meta" for home in homes):
        raise StudyError(
            "model: its weights are on the device meta, which holds no numbers; load them first, "
            "such as by model.to_empty(device='cpu') and model.load_state_dict(…)"
        )
    if len(homes) > 1:
        raise StudyError(
            f"model: its weights lie on {', '.join(sorted(map(str, homes)))}; move them to one"
        )
    chosen = devices.choose(device, key="device")
    # A network that lies on the second GPU stays there.
    return next((home for home in homes if home.type == chosen.type), chosen)


@contextlib.contextmanager
def _borrowed(model: nn.Module, device: torch.device) -> Iterator["_Logits"]:
    """The network on a device, and afterwards as it was: each module's mode, and where it lay."""
    modes = [(module, module.training) for module in model.modules()]
    homes = {value.device for value in (*model.parameters(), *model.buffers())}
    if homes != {device}:
        _move(model, device, homes)
    logits_of = _Logits()
    check = model.register_forward_hook(logits_of)
    try:
        yield logits_of
    finally:
        check.remove()
        for module, training in modes:
            module.training = training
        for home in homes - {device}:
            model.to(home)


def _move(model: nn.Module, device: torch.device, homes: Collection[torch.device]) -> None:
    try:
        model.to(device)
    except Exception as error:  # as networks of 8 bits do, and each library has an error of its own
        for home in homes:
            with contextlib.suppress(Exception):  # it may not have got far
                model.to(home)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        lies = ", ".join(home.type for home in homes)
        raise StudyError(
            f"model: it cannot be moved to {device} ({reason}); set device to {lies}, where it lies"
        ) from None


class _Logits:
    """A hook that makes one tensor of logits, shape (n, n_classes), of what a network gives."""

    is_one = False
    """whether the network gives one logit an image, which then is that of class 1"""

    def __call__(self, _model: nn.Module, inputs: tuple, output: object) -> torch.Tensor:
        logits = getattr(output, "logits", output)
        n_images = len(inputs[0])
        if not isinstance(logits, torch.Tensor) or not logits.is_floating_point():
            what = logits.dtype if isinstance(logits, torch.Tensor) else type(output).__name__
            raise StudyError(
                f"model: its output is {what}, not one tensor of logits; wrap it in a module that "
                "gives that"
            )
        if logits.shape in ((n_images,), (n_images, 1)):
            if not self.is_one:
                log.warning("model: it gives one logit an image, z: taken as two classes, (0, z)")
            self.is_one = True
            one = logits.reshape(n_images, 1)
            return torch.cat([torch.zeros_like(one), one], 1)
        if logits.ndim != 2 or len(logits) != n_images or not logits.shape[1]:
            raise StudyError(
                f"model: its output for {n_images} images has the shape {tuple(logits.shape)}, not "
                f"({n_images}, n_classes)"
            )
        return logits

    def check(self, logits: NDArray[np.float32]) -> None:
        """Raise `StudyError` if the one logit of each training example can only be a sigmoid's."""
        if self.is_one and 0 <= logits[:, 1].min() <= logits[:, 1].max() <= 1:
            raise StudyError(
                "model: its one output lies between 0 and 1 for every training example, as a "
                "probability does; measure takes logits: leave the sigmoid at its end out"
            )


@contextlib.contextmanager
def _temporary_folder(workdir: str | Path | None) -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="depthlens-", dir=workdir)
    except OSError as error:
        raise StudyError(f"workdir: {workdir}: no folder to write to ({error.strerror})") from None
    with folder as name:
        yield Path(name)


def _neighbours(
    queries: Queries,
    references: Points,
    *,
    n_neighbors: int,
    device: torch.device,
    memory: float,
    probe: str,
    progress: bool,
) -> NDArray[np.int64]:
    """Rows of the references that vote, shape (n_queries, n_neighbors)."""
    with bar(label=f"k-NN {probe}", total=100, unit="%", hidden=not progress) as shown:
        try:
            (found,) = nearest(
                [queries],
                references,
                n_neighbors=n_neighbors,
                ranks=[n_neighbors],
                device=device,
                memory=memory,
                progress=lambda share: shown.update(round(100 * share) - shown.n),
            )
        except ValueError as error:
            raise StudyError(f"probe {probe}: {error}") from None
    return found.rows


class _Copies(NamedTuple):
    """Training images that are equal to each example, but for itself: shape (n_examples,)."""

    all: NDArray[np.int64]
    labelled_otherwise: NDArray[np.int64]
    exist: bool
    """also among the training images alone"""


def _copies(known: _Recorded, asked: _Recorded, *, leave_one_out: bool) -> _Copies:
    n_contents = max(known.contents.max(), asked.contents.max()) + 1
    n_labels = max(known.labels.max(), asked.labels.max()) + 1
    equal = np.bincount(known.contents, minlength=n_contents)
    pairs = known.contents * n_labels + known.labels
    alike, n_alike = np.unique(pairs, return_counts=True)
    wanted = asked.contents * n_labels + asked.labels
    place = np.searchsorted(alike, wanted).clip(max=len(alike) - 1)
    same = np.where(alike[place] == wanted, n_alike[place], 0)
    found = equal[asked.contents]
    others = found - leave_one_out
    return _Copies(others, found - same, bool((equal > 1).any() or others.any()))


def _outputs(logits: NDArray[np.float32]) -> dict[str, list[NDArray[np.float32]]]:
    return {"logits": list(logits), "probabilities": list(softmax(logits, axis=1))}


def _table(
    asked: _Recorded,
    knn: NDArray[np.integer],
    disagreement: NDArray[np.float64],
    judged: suspicion.Judged,
    copies: _Copies,
    probes: list[str],
    *,
    about: dict[str, object],
    return_probabilities: bool,
) -> pd.DataFrame:
    labels, logits = asked.labels, asked.logits
    prediction, kept = logits.argmax(1), class_type(logits.shape[1])
    depth = prediction_depth(knn, prediction)
    columns = {
        "label": labels.astype(kept),
        "prediction": prediction.astype(kept),
        "confidence": outputs.confidence(logits).astype(np.float32),
        "correct": prediction == labels,
        "depth": depth,
        "relative_depth": (depth / len(probes)).astype(np.float32),
        "depth_label": prediction_depth(knn, labels),
        # Plus 0: minus the logarithm of 1 is -0.
        "loss": (outputs.loss(logits, labels) + 0.0).astype(np.float32),
        "output_margin": outputs.output_margin(logits).astype(np.float32),
        "entropy": (outputs.entropy(logits) + 0.0).astype(np.float32),
        "knn_disagreement": disagreement.astype(np.float32),
        "suspicion": judged.suspicion,
        "suggested": judged.suggested.astype(kept),
        "suspect": judged.suspect,
        "copies": copies.all.astype(np.int32),
        "copies_labelled_otherwise": copies.labelled_otherwise.astype(np.int32),
        **(_outputs(logits) if return_probabilities else {}),
        **dict(zip(probes, knn.T, strict=True)),
    }
    table = pd.DataFrame(columns)
    table.attrs = {"probes": probes, **about, "threshold": judged.threshold._asdict()}
    return table
