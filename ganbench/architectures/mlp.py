"""Small multilayer perceptrons with ReLU, for points of the plane."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from torch import nn

from ganbench.data import DataSpec


@dataclass(frozen=True)
class Architecture:
    """`depth` hidden layers of `width` units in each network; the generator's output is linear."""

    latent_size: int = 16
    width: int = 64
    depth: int = 2

    def supports(self, data: DataSpec) -> str | None:
        return None

    def generator(self, data: DataSpec) -> nn.Module:
        return nn.Sequential(
            *self._hidden(self.latent_size), nn.Linear(self.width, prod(data.shape)), nn.Unflatten(1, data.shape)
        )

    def discriminator(self, data: DataSpec) -> nn.Module:
        return nn.Sequential(nn.Flatten(), *self._hidden(prod(data.shape)), nn.Linear(self.width, 1), nn.Flatten(0))

    def _hidden(self, inputs: int) -> list[nn.Module]:
        sizes = [inputs] + [self.width] * self.depth
        return [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
