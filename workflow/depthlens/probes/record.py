"""Record the activations of every probe in one forward pass."""

import contextlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from depthlens.errors import StudyError
from depthlens.models.inputs import network_input
from depthlens.probes.calls import evaluate, module_of, watch
from depthlens.probes.plan import Probe
from depthlens.probes.reductions import REDUCTIONS, first_tensor


class Recorder:
    """A network that gives the activations of its probes along with its logits.

    Use as a context manager: the hooks are taken off the network at the end.

    Parameters
    ----------
    network : torch.nn.Module
        Is put into evaluation mode, so that an example's activations do not depend on its batch.
    plan : sequence of Probe
    dtype : torch.dtype
        Of the activations; rounded once, from float32.
    prepare : callable
        Makes of a batch of images what the network takes.
    """

    def __init__(
        self,
        network: nn.Module,
        plan: Sequence[Probe],
        *,
        dtype: torch.dtype,
        prepare: Callable[[torch.Tensor], torch.Tensor] = network_input,
    ) -> None:
        self._network = evaluate(network)
        self._plan = plan
        self._wanted = {probe.module: probe for probe in plan if probe.kind == "module"}
        self._dtype = dtype
        self._prepare = prepare
        self._seen: dict[str, torch.Tensor] = {}
        self._n_examples = 0
        self._hooks = contextlib.ExitStack()

    def __enter__(self) -> "Recorder":
        modules = set(map(module_of, self._wanted))
        self._hooks.enter_context(watch(self._network, self._keep, modules))
        return self

    def __exit__(self, *_: object) -> None:
        self._hooks.close()

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Run one batch.

        Parameters
        ----------
        images : tensor, shape (n, …), on the network's device
            What `prepare` takes: by default uint8, shape (n, channels, height, width).

        Returns
        -------
        logits : float32 tensor, shape (n, n_classes)
        activations : list of tensors, one a probe, shape (n, …) as the module gave it, but for
            the axis of the images, which comes first
            Of a module that gives no single tensor, the first that follows the images: see
            `reductions.first_tensor`. With a reduction, what is left by it, shape (n, features).
            `input` is the image as it was given, bytes as brightness in [0, 1]: repeating a grey
            channel for the network multiplies all distances by √3 and changes no neighbour.

        Raises
        ------
        StudyError
            If a probed module did not run, or gave no tensor with the images in the axis of the
            plan or one that its reduction does not take.
        """
        self._seen.clear()
        self._n_examples = len(images)
        prepared = self._prepare(images)
        # Copied before the network runs, which may work in place.
        given = images.float() / 255 if images.dtype == torch.uint8 else images.clone()
        with torch.inference_mode():
            logits = first_tensor(self._network(prepared))
        if logits is None:
            raise StudyError("models: the network gives no tensor of logits")
        activations = []
        for probe in self._plan:
            if probe.kind == "input":
                activations.append(_reduced(given, probe).to(self._dtype))
            elif probe.kind == "softmax":
                activations.append(_reduced(logits.softmax(1), probe).to(self._dtype))
            elif probe.module in self._seen:
                activations.append(self._seen[probe.module])
            else:
                raise StudyError(
                    f"activations.probes: the module {probe.module!r} does not run for each image; "
                    "leave it out of the list"
                )
        return logits, activations

    def _keep(self, name: str, output: object) -> None:
        if name not in self._wanted:
            return
        probe = self._wanted[name]
        values = first_tensor(output, probe.place)
        if values is None or values.dim() < 2 or values.shape[probe.axis] != self._n_examples:
            given = None if values is None else tuple(values.shape)
            raise StudyError(
                f"activations.probes: the module {name!r} gives shape {given} for "
                f"{self._n_examples} images, whose axis {probe.axis} should follow them; probe the "
                "block around it"
            )
        # A copy, now: an in-place ReLU that follows would overwrite what is kept by reference.
        kept = _reduced(values.detach().movedim(probe.axis, 0), probe)
        self._seen[name] = kept.to(self._dtype, copy=True)


def check_finite(
    values: NDArray[np.floating],
    probe: Probe,
    ids: Sequence[int] | NDArray[np.integer],
    *,
    key: str,
) -> None:
    """Raise `StudyError` if an activation is no finite number of its type.

    Parameters
    ----------
    values : float16 or float32 array, shape (n, dims)
    probe : Probe
    ids : sequence of int, length n
        Of the examples, for the message.
    key : str
        Of what sets the type, for the message.
    """
    # The exponent of infinities and NaN is all ones: np.isfinite is eight times as slow on float16.
    bits = values.view(f"u{values.itemsize}")
    ones = np.array(np.inf, values.dtype).view(bits.dtype)
    finite = (bits & ones).max(axis=1) < ones
    if not finite.all():
        cure = f"; set {key} to float32" if values.dtype == np.float16 else ""
        raise StudyError(
            f"probe {probe.name}: the activation of example {ids[int(np.argmin(finite))]} is not a "
            f"finite {values.dtype}{cure}"
        )


def _reduced(values: torch.Tensor, probe: Probe) -> torch.Tensor:
    if not probe.reduction:
        return values
    reduction = REDUCTIONS[probe.reduction]
    if values.dim() not in reduction.dims:
        point = probe.module or probe.kind
        raise StudyError(
            f"activations.probes: {point}:{probe.reduction} takes {reduction.takes}, but "
            f"{point!r} gives shape {tuple(values.shape)}; leave out :{probe.reduction}"
        )
    return reduction.reduce(values)
