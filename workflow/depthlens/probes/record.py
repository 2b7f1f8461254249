"""Record the activations of every probe in one forward pass."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from depthlens.errors import StudyError
from depthlens.models.networks import network_input
from depthlens.probes.plan import Probe


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
        self._network = network.eval()
        self._plan = plan
        self._dtype = dtype
        self._prepare = prepare
        self._seen: dict[str, torch.Tensor] = {}
        self._hooks: list = []

    def __enter__(self) -> "Recorder":
        modules = dict(self._network.named_modules())
        for probe in self._plan:
            if probe.kind == "module":
                hook = self._hook(probe.module)
                self._hooks.append(modules[probe.module].register_forward_hook(hook))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Run one batch.

        Parameters
        ----------
        images : tensor, shape (n, …), on the network's device
            What `prepare` takes: by default uint8, shape (n, channels, height, width).

        Returns
        -------
        logits : float32 tensor, shape (n, n_classes)
        activations : list of tensors, one a probe, shape (n, …) as the module gave it
            `input` is the image as it was given, bytes as brightness in [0, 1]: repeating a grey
            channel for the network multiplies all distances by √3 and changes no neighbour.

        Raises
        ------
        StudyError
            If a probed module did not run, ran twice, or gave something else than one tensor.
        """
        self._seen.clear()
        with torch.inference_mode():
            logits = self._network(self._prepare(images))
        activations = []
        for probe in self._plan:
            if probe.kind == "input":
                given = images.float() / 255 if images.dtype == torch.uint8 else images
                activations.append(given.to(self._dtype))
            elif probe.kind == "softmax":
                activations.append(logits.softmax(1).to(self._dtype))
            elif probe.module in self._seen:
                activations.append(self._seen[probe.module])
            else:
                raise StudyError(
                    f"activations.probes: the module {probe.module!r} does not run when the "
                    "network predicts; leave it out of the list"
                )
        return logits, activations

    def _hook(self, name: str):
        def keep(_module: nn.Module, _inputs: object, output: object) -> None:
            if name in self._seen:
                raise StudyError(
                    f"activations.probes: the module {name!r} runs more than once in a forward "
                    "pass; probe the block around it"
                )
            if not isinstance(output, torch.Tensor):
                raise StudyError(f"activations.probes: the module {name!r} gives no single tensor")
            # A copy, now: an in-place ReLU that follows would overwrite what is kept by reference.
            self._seen[name] = output.detach().to(self._dtype, copy=True)

        return keep
