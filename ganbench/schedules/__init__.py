"""Schedules, one file each: how learning rates change over training.

A schedule's file imports nothing heavier than the standard library: a study is checked against it before any work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from ganbench.core.interval import Interval


@dataclass(frozen=True)
class Schedule(ABC):
    """A schedule has decay(step, steps), a finite number from 0 on that is a function of its arguments: what the
    learning rates are multiplied by in a step.

    Every schedule may begin with a linear warm-up, which this class adds. A subclass is a frozen dataclass whose fields
    are its options.
    """

    warmup_steps: Annotated[int, Interval(ge=0, le=1_000_000_000)] = 0
    """Number of steps in which the factor rises linearly to 1, which the last of them has."""

    @abstractmethod
    def decay(self, step: int, steps: int) -> float:
        """The factor of the learning rates after the warm-up.

        Args:
            step: index of the step after the warm-up, from 0.
            steps: number of steps after the warm-up.
        """

    def fault(self, steps: int) -> str | None:
        """Why training with so many steps has no such schedule, as a clause; None if it has.

        Args:
            steps: number of training steps.
        """
        if self.warmup_steps and self.warmup_steps >= steps:
            return (
                f"its warmup_steps are {self.warmup_steps:,}, but training has {steps:,} steps; choose at most "
                f"{steps - 1:,}"
            )
        return None

    def factor(self, step: int, steps: int) -> float:
        """The number by which learning rates are multiplied.

        Args:
            step: index of the training step, from 0.
            steps: number of training steps.
        """
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.decay(step - self.warmup_steps, steps - self.warmup_steps)
