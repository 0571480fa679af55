"""Linear decay of the learning rates, as in `torch.optim.lr_scheduler.LinearLR`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ganbench.core.interval import Interval
from ganbench.schedules import Schedule


@dataclass(frozen=True)
class LinearDecay(Schedule):
    """The factor is 1 for the first `decay_start` of the steps, and then falls in a line to `end_factor`, which it
    would have in the step after the last. SN-GAN (Miyato et al. 2018) and many after it fall to 0 over the whole
    training.
    """

    end_factor: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Factor that the step after the last would have."""
    decay_start: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Share of the steps before the factor begins to fall."""

    def decay(self, step: int, steps: int) -> float:
        progress = step / steps
        return (
            1.0
            if progress <= self.decay_start
            else 1 - (1 - self.end_factor) * (progress - self.decay_start) / (1 - self.decay_start)
        )
