"""R1: zero-centred gradient penalty on real examples (Mescheder, Geiger and Nowozin 2018, equation 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.nn.sample import Sample
from ganbench.regularizers import Discriminator, Noise, Regularizer, input_gradient


@dataclass(frozen=True)
class R1(Regularizer):
    """(gamma / 2) E[ |grad_x D(x)|^2 ] over real examples x, with D the logit."""

    per_example: ClassVar[bool] = True

    gamma: Annotated[float, Interval(ge=0)] = 1.0
    """Weight of the penalty, gamma of R1."""
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> Tensor | None:
        grad = input_gradient(discriminator, real.points, real.labels)
        return self.gamma / 2 * real.mean(grad.square().sum(-1))
