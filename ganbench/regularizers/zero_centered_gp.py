"""Zero-centred gradient penalty between real and generated examples (Thanh-Tung, Tran and Venkatesh 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Generator, Tensor

from ganbench.core.interval import Interval
from ganbench.nn.sample import Sample
from ganbench.regularizers import GradientPenalty, Noise, interpolated, uniform_shares


@dataclass(frozen=True)
class ZeroCenteredGP(GradientPenalty):
    """(gamma / 2) E[ |grad_x D(x)|^2 ] over x = (1 - u) x_real + u x_fake with u uniform on [0, 1], D the logit.

    Real and generated examples are paired in the order of their batches, so there must be as many of both; a
    conditional discriminator is given the real example's label.
    """

    gamma: Annotated[float, Interval(ge=0)] = 1.0
    """Weight of the penalty, gamma."""
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        return {"mix": uniform_shares(generator, count, shape, like)}

    def points(self, real: Sample, fake: Sample, noise: Noise) -> Sample:
        return interpolated(real, fake, noise["mix"])
