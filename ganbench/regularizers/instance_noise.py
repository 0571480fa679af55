"""Instance noise: fresh Gaussian noise is added to real and generated examples (Sonderby et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Generator, Tensor

from ganbench.core.interval import Interval
from ganbench.regularizers import Noise, Regularizer


@dataclass(frozen=True)
class InstanceNoise(Regularizer):
    """x + N(0, sigma^2) in place of every example x (Sonderby et al. 2017; Arjovsky and Bottou 2017).

    With `decay_steps` the standard deviation is sigma max(0, 1 - t / decay_steps) in step t, from 0 on. In both
    players' losses a generated example has the noise of its position in the batch.
    """

    sigma: Annotated[float, Interval(ge=0)] = 0.1
    """Standard deviation of the noise at the first step, in units of the data that networks see."""
    decay_steps: Annotated[int, Interval(ge=0, le=1_000_000_000)] = 0
    """Number of steps in which it falls to 0 along a straight line; 0 keeps it."""

    @property
    def uses_step(self) -> bool:
        return self.decay_steps > 0

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        drawn = torch.randn((2, count, *shape), generator=generator, dtype=like.dtype)
        return {"real": drawn[0], "fake": drawn[1]}

    def perturb(self, examples: Tensor, kind: str, noise: Noise) -> Tensor:
        if not self.decay_steps:
            return examples + self.sigma * noise[kind]
        sigma = self.sigma * (1 - noise["step"] / self.decay_steps).clamp(min=0)
        return examples + sigma.view(-1, *(1 for _ in examples.shape[1:])) * noise[kind]
