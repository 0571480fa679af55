"""Decay of the learning rates with the inverse square root of the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ganbench.core.interval import Interval
from ganbench.schedules import Schedule


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MySchedule(Schedule):
    """The factor is 1 / sqrt(1 + step / period)."""

    period: Annotated[int, Interval(ge=1)] = 1000
    """Number of steps after which the factor is 1 / sqrt(2)."""

    def decay(self, step: int, steps: int) -> float:
        # Both count from the end of the warm-up, which the base class adds. A finite number from 0 on; the learning
        # rates of both players are multiplied by it. Import nothing heavier than the standard library here.
        return (1 + step / self.period) ** -0.5
