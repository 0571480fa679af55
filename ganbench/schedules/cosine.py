"""Cosine decay of the learning rates (Loshchilov and Hutter 2017), as in `torch.optim.lr_scheduler`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from ganbench.core.interval import Interval
from ganbench.schedules import Schedule


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """The factor is end_factor + (1 - end_factor) (1 + cos(pi t / T)) / 2 in step t of T; no restarts."""

    end_factor: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Factor that the step after the last would have."""

    def decay(self, step: int, steps: int) -> float:
        return self.end_factor + (1 - self.end_factor) * (1 + math.cos(math.pi * step / steps)) / 2
