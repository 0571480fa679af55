"""Schedules against `torch.optim.lr_scheduler`, which multiplies a rate by the same factors."""

from __future__ import annotations

import pytest
import torch
from building import part
from torch.optim import lr_scheduler

STEPS = 40


def torch_factors(make, steps: int = STEPS) -> list[float]:
    """The learning rates of PyTorch's scheduler over steps, from a rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, factors = make(optimizer), []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


@pytest.mark.parametrize(
    ("name", "options", "make"),
    [
        ("constant", {}, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        ("linear", {"end_factor": 0.1}, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, total_iters=STEPS)),
        (
            "linear",
            {"decay_start": 0.5},
            lambda o: lr_scheduler.LambdaLR(o, lambda t: 1.0 if t <= 20 else (STEPS - t) / 20),
        ),
        ("cosine", {"end_factor": 0.2}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.2)),
        ("step", {"step_size": 7, "gamma": 0.3}, lambda o: lr_scheduler.StepLR(o, 7, gamma=0.3)),
        ("step", {"step_size": 1, "gamma": 0.9}, lambda o: lr_scheduler.ExponentialLR(o, gamma=0.9)),
        (
            "cosine",
            {"warmup_steps": 10},
            lambda o: lr_scheduler.SequentialLR(
                o,
                [lr_scheduler.LinearLR(o, 0.1, 1.0, total_iters=9), lr_scheduler.CosineAnnealingLR(o, STEPS - 10)],
                milestones=[10],
            ),
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step`")
def test_a_schedule_has_the_factors_of_pytorch_s(name, options, make):
    schedule = part("schedule", name, **options)
    factors = [schedule.factor(step, STEPS) for step in range(STEPS)]
    assert factors == pytest.approx(torch_factors(make), rel=1e-12)


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "step"])
def test_a_warm_up_longer_than_training_is_a_fault(name):
    options = {"step_size": 5} if name == "step" else {}
    assert part("schedule", name, warmup_steps=10, **options).fault(40) is None
    assert "40 steps" in part("schedule", name, warmup_steps=40, **options).fault(40)


def test_steps_that_never_come_are_a_fault():
    assert part("schedule", "step", step_size=100).fault(100) == (
        "its first decay is after 100 steps, and training has 100 steps"
    )
