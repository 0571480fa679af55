"""Learning rates that fall by a factor every so many steps, as in `torch.optim.lr_scheduler.StepLR`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ganbench.core.interval import Interval
from ganbench.schedules import Schedule


@dataclass(frozen=True)
class StepDecay(Schedule):
    """The factor is gamma^(t // step_size) in step t. A `gamma` for every step is exponential decay."""

    step_size: Annotated[int, Interval(ge=1, le=1_000_000_000)] = 1000
    """Number of steps after which the factor falls."""
    gamma: Annotated[float, Interval(gt=0, le=1)] = 0.5
    """Multiplier of the factor at each fall; with a `step_size` of 1 the decay is exponential."""

    def decay(self, step: int, steps: int) -> float:
        return self.gamma ** (step // self.step_size)

    def fault(self, steps: int) -> str | None:
        if self.step_size >= steps - self.warmup_steps:
            return (
                f"its first decay is after {self.step_size + self.warmup_steps:,} steps, and training "
                f"has {steps:,} steps"
            )
        return super().fault(steps)
