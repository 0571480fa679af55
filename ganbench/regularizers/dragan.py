"""The gradient penalty of DRAGAN: gradients of a given norm around real examples (Kodali et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Generator, Tensor

from ganbench.core.interval import Interval
from ganbench.nn.packing import first_of_group
from ganbench.nn.sample import Sample
from ganbench.regularizers import GradientPenalty, Noise, uniform_shares


@dataclass(frozen=True)
class DRAGAN(GradientPenalty):
    """gamma E[ (|grad_x D(x)| - target)^2 ] over x = x_real + a scale std u, with u uniform on [0, 1] for each value of
    an example, a uniform on [0, 1] for each example, std the standard deviation of all values of the batch, and D the
    logit.

    That is the variant of the authors' code, with scale 0.5 and lambda = gamma = 10; its noise only adds. The paper's
    noise is Gaussian with a constant variance. Where the gradient is 0, all derivatives of its norm are taken as 0.
    """

    gamma: Annotated[float, Interval(ge=0)] = 10.0
    """Weight of the penalty, gamma, the paper's lambda."""
    target: Annotated[float, Interval(ge=0)] = 1.0
    """Norm of the gradient at which the penalty is 0, the paper's k."""
    scale: Annotated[float, Interval(ge=0)] = 0.5
    """Largest size of the noise, in standard deviations of the batch's values."""
    between: bool = True
    """Whether points lie between examples and their noisy copies; otherwise a is 1, and the penalty is at the copies
    themselves."""
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        noise = {"shift": torch.rand((count, *shape), generator=generator, dtype=like.dtype)}
        return noise | {"mix": uniform_shares(generator, count, shape, like)}

    def points(self, real: Sample, fake: Sample, noise: Noise) -> Sample:
        std = real.points.flatten(1).std(1, correction=0).view(-1, *(1 for _ in real.points.shape[1:]))
        shift = self.scale * std * noise["shift"]
        around = real.points + (first_of_group(noise["mix"], real.packing) * shift if self.between else shift)
        return replace(real, points=around)
