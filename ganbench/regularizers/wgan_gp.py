"""Gradient penalty of WGAN-GP: gradients of a given norm between real and fake examples (Gulrajani et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Generator, Tensor

from ganbench.core.interval import Interval
from ganbench.nn.sample import Sample
from ganbench.regularizers import GradientPenalty, Noise, interpolated, uniform_shares


@dataclass(frozen=True)
class WGANGP(GradientPenalty):
    """gamma E[ (|grad_x D(x)| - target)^2 ] over x = (1 - u) x_real + u x_fake with u uniform on [0, 1], D the logit
    or the critic's score (equation 3, where gamma is lambda = 10 and target 1).

    Where the gradient is 0, all derivatives of its norm are taken as 0. Real and generated
    examples are paired in the order of their batches, so there must be as many of both; a conditional discriminator is
    given the real example's label.
    """

    gamma: Annotated[float, Interval(ge=0)] = 10.0
    """Weight of the penalty, gamma, the paper's lambda."""
    target: Annotated[float, Interval(ge=0)] = 1.0
    """Norm of the gradient at which the penalty is 0."""
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        return {"mix": uniform_shares(generator, count, shape, like)}

    def points(self, real: Sample, fake: Sample, noise: Noise) -> Sample:
        return interpolated(real, fake, noise["mix"])
