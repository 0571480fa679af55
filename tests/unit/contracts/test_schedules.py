"""The contract of schedules: finite factors from 0 on, which follow from the step."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from building import names, part

from ganbench.contracts.schedules import LENGTHS, schedule_fault
from ganbench.schedules import Schedule


@pytest.mark.parametrize("name", names("schedule"))
def test_the_schedules_of_the_package_keep_it(name):
    assert schedule_fault(part("schedule", name)) is None


def test_a_warm_up_longer_than_some_trainings_is_no_fault():
    assert schedule_fault(part("schedule", "constant", warmup_steps=LENGTHS[-2])) is None


@dataclass(frozen=True)
class Odd(Schedule):
    """A schedule whose factor is any value."""

    value: object = 1.0

    def decay(self, step: int, steps: int) -> float:
        return time.time() if self.value == "clock" else self.value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-0.5, "makes the factor -0.5 in step 0 of 1"),
        (float("nan"), "makes the factor nan"),
        (float("inf"), "makes the factor inf"),
        ("0.1", "gives '0.1' for step 0 of 1; must be a number"),
        (None, "gives None"),
        ("clock", "gives something else when it is called again"),
    ],
)
def test_what_is_no_factor_is_found(value, said):
    assert said in schedule_fault(Odd(value=value))


def test_a_schedule_for_no_training_is_found():
    assert "its fault() refuses every training" in schedule_fault(Odd(warmup_steps=10**9))
