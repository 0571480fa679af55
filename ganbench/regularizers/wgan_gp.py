"""Gradient penalty of WGAN-GP: gradients of a given norm between real and fake examples (Gulrajani et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Generator, Tensor

from ganbench.core.interval import Interval
from ganbench.nn.sample import Sample
from ganbench.regularizers import Discriminator, Noise, Regularizer, between, gradient_norm


@dataclass(frozen=True)
class WGANGP(Regularizer):
    """gamma E[ (|grad_x D(x)| - target)^2 ] over x = (1 - u) x_real + u x_fake with u uniform on [0, 1], D the logit
    or the critic's score (equation 3, where gamma is lambda = 10 and target 1).

    Where the gradient is 0, all derivatives of its norm are taken as 0, see `gradient_norm`. Real and generated
    examples are paired in the order of their batches, so there must be as many of both; a conditional discriminator is
    given the real example's label.
    """

    per_example: ClassVar[bool] = True

    gamma: Annotated[float, Interval(ge=0)] = 10.0
    """Weight of the penalty, gamma, the paper's lambda."""
    target: Annotated[float, Interval(ge=0)] = 1.0
    """Norm of the gradient at which the penalty is 0."""
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        size = (count, shape[0], *(1 for _ in shape[1:]))
        return {"mix": torch.rand(size, generator=generator, dtype=like.dtype)}

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> Tensor | None:
        length = gradient_norm(discriminator, between(real, fake, noise["mix"]), real.labels)
        return self.gamma * (length - self.target).square().mean(-1)
