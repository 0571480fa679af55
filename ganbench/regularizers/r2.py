"""R2: zero-centred gradient penalty on generated examples (Mescheder, Geiger and Nowozin 2018, equation 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ganbench.core.interval import Interval
from ganbench.nn.sample import Sample
from ganbench.regularizers import GradientPenalty, Noise


@dataclass(frozen=True)
class R2(GradientPenalty):
    """(gamma / 2) E[ |grad_x D(x)|^2 ] over generated examples x, with D the logit."""

    gradient_at: ClassVar[str] = "fake"

    gamma: Annotated[float, Interval(ge=0)] = 1.0
    """Weight of the penalty, gamma of R2."""
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1

    def points(self, real: Sample, fake: Sample, noise: Noise) -> Sample:
        return fake
