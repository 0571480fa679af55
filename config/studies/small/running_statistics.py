"""Small fully connected networks whose generator has PyTorch's batch normalisation, with running statistics.

The architectures of ganbench normalise by the batch in evaluation too, so that they keep no running statistics. Most
published code does keep them, with PyTorch's default, and loses them where it saves the parameters alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated

from torch import nn

from ganbench.architectures import Architecture
from ganbench.core.interval import Interval
from ganbench.data import DataSpec


@dataclass(frozen=True)
class RunningStatistics(Architecture):
    """Two hidden layers of `width` units in each network. With `batch_norm` a batch normalisation comes before each
    ReLU of the generator; the discriminator has LeakyReLU(0.2), and none."""

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 16
    width: Annotated[int, Interval(ge=1, le=16_384)] = 48
    batch_norm: bool = True

    def generator(self, data: DataSpec) -> nn.Module:
        last = nn.Tanh() if data.bounded else nn.Identity()
        hidden = [
            layer
            for inputs in (self.latent_size, self.width)
            for layer in (
                nn.Linear(inputs, self.width),
                nn.BatchNorm1d(self.width) if self.batch_norm else nn.Identity(),
                nn.ReLU(),
            )
        ]
        return nn.Sequential(*hidden, nn.Linear(self.width, prod(data.shape)), last, nn.Unflatten(1, data.shape))

    def discriminator(self, data: DataSpec) -> nn.Module:
        hidden = [
            layer
            for inputs in (prod(data.shape), self.width)
            for layer in (nn.Linear(inputs, self.width), nn.LeakyReLU(0.2))
        ]
        return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(self.width, 1), nn.Flatten(0))
