"""Schedules of the learning rate against torch's, and worked by hand."""

import pytest
import torch
from torch.optim import lr_scheduler

from depthlens.training import schedules


def of_torch(n_steps: int, make) -> list[float]:
    """The rate of each step, where 1 is the full one."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for _ in range(n_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if len(found) < n_steps else None
    return found


def of_ours(name: str, n_steps: int, *, warmup: float = 0.0, decay: float = 0.0) -> list[float]:
    schedule = schedules.make(name, warmup=warmup, decay=decay)
    return [schedule(step, n_steps) for step in range(n_steps)]


@pytest.mark.parametrize(
    ("decay", "shares"),
    [
        (0.0, [1, 1, 1, 1, 1]),
        (0.2, [1, 1, 1, 1, 1]),
        (0.4, [1, 1, 1, 1, 0.5]),
        (0.8, [1, 1, 0.75, 0.5, 0.25]),
        (1.0, [1, 0.8, 0.6, 0.4, 0.2]),
    ],
)
def test_linear_decay_worked_by_hand(decay, shares):
    assert of_ours("linear", 5, decay=decay) == pytest.approx(shares)


def test_linear_rises_stays_and_falls():
    expected = [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 2 / 3, 1 / 3]
    assert of_ours("linear", 10, warmup=0.4, decay=0.3) == pytest.approx(expected)
    # A rise that ends between two steps goes no higher than the full rate.
    assert of_ours("linear", 10, warmup=0.15) == pytest.approx([2 / 3, *[1] * 9])


@pytest.mark.parametrize("n_steps", [1, 2, 7, 1000])
def test_cosine_is_torchs(n_steps):
    expected = of_torch(n_steps, lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=n_steps))
    assert of_ours("cosine", n_steps) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize(("n_steps", "rise"), [(4, 2), (20, 5), (1000, 50)])
def test_cosine_after_a_warmup_is_torchs_two_schedulers_in_sequence(n_steps, rise):
    def warm_and_cool(optimizer):
        parts = [
            lr_scheduler.LinearLR(optimizer, start_factor=1 / rise, total_iters=rise - 1),
            lr_scheduler.CosineAnnealingLR(optimizer, T_max=n_steps - rise),
        ]
        return lr_scheduler.SequentialLR(optimizer, parts, milestones=[rise])

    found = of_ours("cosine", n_steps, warmup=rise / n_steps)
    assert found == pytest.approx(of_torch(n_steps, warm_and_cool), rel=0, abs=1e-12)


@pytest.mark.parametrize("warmup", [0.05, 0.25, 0.3, 0.9])
@pytest.mark.parametrize("n_steps", [3, 10, 33, 1000])
def test_one_cycle_is_torchs(n_steps, warmup):
    expected = of_torch(
        n_steps,
        lambda optimizer: lr_scheduler.OneCycleLR(
            optimizer, max_lr=1.0, total_steps=n_steps, pct_start=warmup, cycle_momentum=False
        ),
    )
    found = of_ours("one_cycle", n_steps, warmup=warmup)
    assert found == pytest.approx(expected, rel=0, abs=1e-12)


def test_a_cycle_of_one_step_has_a_rate():
    assert of_ours("one_cycle", 1, warmup=0.3) == pytest.approx([4e-6])
    # The rise ends with the first step, where torch divides by zero.
    assert of_ours("one_cycle", 4, warmup=0.25)[0] == pytest.approx(1)
