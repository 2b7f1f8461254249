"""How the learning rate goes through a training: its share of the full rate at each step."""

import math
from collections.abc import Callable
from functools import partial

Schedule = Callable[[int, int], float]
"""Of a step, 0 … n_steps - 1, and the steps of the whole training: a share of the full rate."""
# torch.optim.lr_scheduler.OneCycleLR's own: where a cycle begins, and where it ends.
_FIRST_SHARE, _LAST_SHARE = 1 / 25, 1 / 25 / 1e4


def linear(step: int, n_steps: int, *, warmup: float = 0.0, decay: float = 0.0) -> float:
    """Linearly up from 0, then 1, then linearly down towards 0.

    Parameters
    ----------
    step : int
        0 … n_steps - 1.
    n_steps : int
        Of the whole training.
    warmup, decay : float, 0 … 1
        Shares of the steps, the first and the last ones, over which the rate rises and falls; 0 for
        neither. No step has the rate 0.
    """
    fallen = min(1.0, (n_steps - step) / (decay * n_steps)) if decay else 1.0
    return min(_risen(step, n_steps, warmup), fallen)


def cosine(step: int, n_steps: int, *, warmup: float = 0.0) -> float:
    """Linearly up from 0, then down to 0 along half a cosine.

    Parameters
    ----------
    step, n_steps
        As for `linear`.
    warmup : float, 0 … 1
        Share of the steps, the first ones, over which the rate rises; less than 1.

    References
    ----------
    Loshchilov, Hutter (2017), arXiv 1608.03983, equation 5, without restarts.
    """
    rise = warmup * n_steps
    return _risen(step, n_steps, warmup) * _along_cosine(
        1.0, 0.0, max(0.0, step - rise) / (n_steps - rise)
    )


def one_cycle(step: int, n_steps: int, *, warmup: float) -> float:
    """Up from 1/25 and down to 1/250,000 along half cosines, as torch's OneCycleLR.

    The momentum stays as it is (`cycle_momentum=False`).

    Parameters
    ----------
    step, n_steps
        As for `linear`.
    warmup : float, 0 … 1
        Share of the steps, the first ones, over which the rate rises: torch's `pct_start`. Neither
        0 nor 1.

    References
    ----------
    Smith, Topin (2019), arXiv 1708.07120.
    """
    top = warmup * n_steps - 1
    if step < top:
        return _along_cosine(_FIRST_SHARE, 1.0, step / top)
    return _along_cosine(1.0, _LAST_SHARE, (step - top) / (n_steps - 1 - top))


def make(name: str, *, warmup: float, decay: float) -> Schedule:
    """The schedule that a config names: linear, cosine or one_cycle; `decay` is of linear alone."""
    if name == "linear":
        return partial(linear, warmup=warmup, decay=decay)
    return partial({"cosine": cosine, "one_cycle": one_cycle}[name], warmup=warmup)


def _risen(step: int, n_steps: int, warmup: float) -> float:
    return min(1.0, (step + 1) / (warmup * n_steps)) if warmup else 1.0


def _along_cosine(first: float, last: float, share: float) -> float:
    """From one value to another along half a cosine."""
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))
