"""Linear decay of the learning rates, as in `torch.optim.lr_scheduler.LinearLR`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ganbench.core.interval import Interval
from ganbench.schedules import Schedule


@dataclass(frozen=True)
class LinearDecay(Schedule):
    """The factor is 1 for the first `start` of the steps, and then falls in a line to `final`, which it would have in
    the step after the last. SN-GAN (Miyato et al. 2018) and many after it fall to 0 over the whole training.
    """

    final: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Factor that the step after the last would have."""
    start: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Share of the steps before the factor begins to fall."""

    def decay(self, step: int, steps: int) -> float:
        progress = step / steps
        return 1.0 if progress <= self.start else 1 - (1 - self.final) * (progress - self.start) / (1 - self.start)
