"""Cosine decay of the learning rates (Loshchilov and Hutter 2017), as in `torch.optim.lr_scheduler`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from ganbench.core.interval import Interval
from ganbench.schedules import Schedule


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """The factor is final + (1 - final) (1 + cos(pi t / T)) / 2 in step t of T; no restarts."""

    final: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Factor that the step after the last would have."""

    def decay(self, step: int, steps: int) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * step / steps)) / 2
