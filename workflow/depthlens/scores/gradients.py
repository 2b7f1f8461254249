"""Scores that differentiate the network with respect to the image.

Images are brightness, 0 … 1, as they are stored: one channel or three. What the network makes of
them first (repeating a channel, normalising) is `prepare`, and gradients reach through it, so that
distances are distances between images.

Networks must be in evaluation mode: then no image of a batch touches another.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

Prepare = Callable[[torch.Tensor], torch.Tensor]

MOST_RIVALS = 10
"""How many classes, those with the largest logits, are tried as the nearest."""

_RADII = 12
_PRECISION = 0.01


class _Nearest(NamedTuple):
    """The first-order nearest decision boundary."""

    distance: torch.Tensor
    """shape (n,)"""
    direction: torch.Tensor
    """shape (n, channels, height, width): unit vector towards it; 0 where there is none"""


def input_margin(network: nn.Module, images: torch.Tensor, *, prepare: Prepare) -> torch.Tensor:
    """First-order distance to the decision boundary: min_b (z_a − z_b) / ‖∇(z_a − z_b)‖.

    a is the predicted class and b any other; with more than eleven classes, the ten of the largest
    logits. The gradient is with respect to the image, ‖·‖ is Euclidean.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    images : float tensor, shape (n, channels, height, width)
        Brightness, 0 … 1, on the network's device.
    prepare : callable
        Makes of such images what the network takes.

    Returns
    -------
    float tensor, shape (n,)
        0 … ∞, brightness; smaller is harder. ∞ where no logit changes with the image.

    References
    ----------
    Elsayed et al. (2018), arXiv 1803.05598, equation 7; Jiang et al. (2019), arXiv 1810.00113,
    equation 3.
    """
    return _nearest_boundary(network, images, prepare).distance


def attack_margin(
    network: nn.Module, images: torch.Tensor, *, prepare: Prepare, steps: int
) -> torch.Tensor:
    """Smallest change of the image found that changes the predicted class, Euclidean.

    Projected gradient descent inside balls around the image: from the first-order nearest point
    of the boundary, `steps` steps of 2.5 radius / steps along the gradient of z_a less the largest
    other logit, each followed by a projection onto the ball and a clipping to [0, 1]. The radius is
    doubled until an attack succeeds, then bisected to 1 % of it, in at most 12 rounds; what is
    returned is the length of the shortest change that did succeed, an upper bound of the distance.

    Parameters
    ----------
    network, images, prepare
        As for `input_margin`.
    steps : int
        Gradient steps in each ball.

    Returns
    -------
    float tensor, shape (n,)
        0 … ∞, brightness; smaller is harder. ∞ where nothing was found up to the radius that
        holds every image there is. No step is random.

    References
    ----------
    Madry et al. (2018), arXiv 1706.06083, section 2.1, with the L2 norm.
    """
    corner = torch.maximum(images, 1 - images).flatten(1).norm(dim=1)
    nearest = _nearest_boundary(network, images, prepare)
    with torch.no_grad():
        start = network(prepare(images)).argmax(1)
    best = torch.full_like(corner, torch.inf)
    low, high = torch.zeros_like(corner), best.clone()
    # A boundary at no distance still needs a ball to look into.
    radius = torch.minimum(nearest.distance, corner).clamp(min=1e-3)
    for _ in range(_RADII):
        open_ = (high - low > _PRECISION * high) | (high.isinf() & (low < corner))
        rows = torch.nonzero(open_)[:, 0]
        if not len(rows):
            break
        found = _attack(
            network,
            images[rows],
            start[rows],
            radius[rows],
            nearest.direction[rows],
            prepare=prepare,
            steps=steps,
        )
        best[rows] = torch.minimum(best[rows], found)
        high[rows] = best[rows]
        failed = rows[found.isinf()]
        low[failed] = radius[failed]
        radius = torch.where(high.isinf(), torch.minimum(2 * radius, corner), (low + high) / 2)
    return best


def class_gradients(
    network: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, prepare: Prepare
) -> torch.Tensor:
    """Gradient of the label's logit with respect to the image, mean over its channels.

    Parameters
    ----------
    network, images, prepare
        As for `input_margin`.
    labels : int64 tensor, shape (n,)

    Returns
    -------
    float tensor, shape (n, height, width)
    """
    images = images.detach().requires_grad_()
    logits = network(prepare(images))
    (gradient,) = torch.autograd.grad(logits.gather(1, labels[:, None]).sum(), images)
    return gradient.mean(1)


def variance_of_gradients(gradients: torch.Tensor) -> torch.Tensor:
    """How much the gradient of the label's logit changed while the network was trained.

    With the gradient S_t of snapshot t = 1 … K at a pixel and its mean μ over the snapshots,
    VoG_p = √(1/K) Σ_t (S_t − μ)², and VoG is the mean of VoG_p over the pixels. The factor is the
    paper's: this is √K times the variance.

    Parameters
    ----------
    gradients : float tensor, shape (n_snapshots, n, height, width)
        As `class_gradients` gives them.

    Returns
    -------
    float tensor, shape (n,)
        0 … ∞; larger is harder. To be compared within a class: see `standardise_within_classes`.

    References
    ----------
    Agarwal, D'souza, Hooker (2022), arXiv 2008.11600, section 2; channels are averaged first, as
    in the authors' code.
    """
    spread = (gradients - gradients.mean(0)).square().sum(0) / len(gradients) ** 0.5
    return spread.flatten(1).mean(1)


def standardise_within_classes(values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Each value less the mean of its class, divided by the class' standard deviation.

    Parameters
    ----------
    values : float32 tensor, shape (n,)
    labels : int64 tensor, shape (n,)

    Returns
    -------
    float tensor, shape (n,)
        -∞ … ∞, standard deviations (of the population: divided by the number). NaN where all
        values of a class are equal, as one alone is.

    References
    ----------
    Agarwal, D'souza, Hooker (2022), arXiv 2008.11600, section 2.
    """
    result = torch.empty_like(values)
    for label in labels.unique():
        members = labels == label
        # In double, so that the deviation of equal values is 0 and not what rounding left.
        group = values[members].double()
        standard = (group - group.mean()) / group.std(correction=0)
        result[members] = standard.to(values.dtype)
    return result


def _nearest_boundary(network: nn.Module, images: torch.Tensor, prepare: Prepare) -> _Nearest:
    images = images.detach().requires_grad_()
    logits = network(prepare(images))
    ranked, classes = logits.detach().topk(min(MOST_RIVALS + 1, logits.shape[1]), dim=1)
    own = logits.gather(1, classes[:, :1])[:, 0]
    distance = torch.full_like(ranked[:, 0], torch.inf)
    direction = torch.zeros_like(images)
    last = classes.shape[1] - 1
    for rank in range(1, last + 1):
        gap = own - logits.gather(1, classes[:, rank : rank + 1])[:, 0]
        (gradient,) = torch.autograd.grad(gap.sum(), images, retain_graph=rank < last)
        length = gradient.flatten(1).norm(dim=1)
        gap = ranked[:, 0] - ranked[:, rank]
        # A gap that no change of the image closes is not near; one that is closed already is.
        away = torch.where(gap > 0, gap / length, torch.zeros_like(gap))
        nearer = away < distance
        distance = torch.where(nearer, away, distance)
        unit = -gradient / _wide(length.clamp(min=torch.finfo(length.dtype).tiny))
        direction = torch.where(_wide(nearer), unit, direction)
    return _Nearest(distance, direction.detach())


def _attack(
    network: nn.Module,
    images: torch.Tensor,
    start: torch.Tensor,
    radius: torch.Tensor,
    direction: torch.Tensor,
    *,
    prepare: Prepare,
    steps: int,
) -> torch.Tensor:
    """Length of a change within `radius` that changes the class from `start`; ∞ if none is found.

    An image leaves the search with the first change that does.
    """
    found = torch.full_like(radius, torch.inf)
    searching = torch.arange(len(images), device=images.device)
    change = _within(radius[:, None, None, None] * direction, images, radius)
    for step in range(steps + 1):
        own = start[searching, None]
        here = (images[searching] + change).requires_grad_()
        logits = network(prepare(here))
        changed = logits.argmax(1) != own[:, 0]
        found[searching[changed]] = change[changed].flatten(1).norm(dim=1)
        if step == steps or changed.all():
            break
        rivals = logits.scatter(1, own, -torch.inf).amax(1)
        lead = (logits.gather(1, own)[:, 0] - rivals).sum()
        (gradient,) = torch.autograd.grad(lead, here)
        searching, gradient, change = (kept[~changed] for kept in (searching, gradient, change))
        length = gradient.flatten(1).norm(dim=1).clamp(min=torch.finfo(gradient.dtype).tiny)
        size = 2.5 * radius[searching] / steps
        change = _within(
            change - _wide(size / length) * gradient, images[searching], radius[searching]
        )
    return found


def _within(change: torch.Tensor, images: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    """The change projected onto the ball, then clipped so that the changed image is one.

    Clipping brings every pixel nearer to the image, which is one: it does not leave the ball.
    """
    length = change.flatten(1).norm(dim=1)
    change = change * _wide((radius / length.clamp(min=1e-30)).clamp(max=1))
    return (images + change).clamp(0, 1) - images


def _wide(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]
