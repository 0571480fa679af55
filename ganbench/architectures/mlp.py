"""Small multilayer perceptrons, for points of the line and the plane."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from torch import nn

from ganbench.architectures import Architecture
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.initialisation import initialise
from ganbench.nn.packing import packing_layers

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class MLP(Architecture):
    """`depth` hidden layers of `width` units in each network; both outputs are linear.

    With `generator_depth: 0` the generator is one affine layer: G(z) = w z + b for a latent number and points on the
    line. `initialisation`: see `ganbench.nn.initialisation.initialise`. With `packing` m > 1 the discriminator judges m
    examples together (PacGAN, Lin et al. 2018).
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 16
    width: Annotated[int, Interval(ge=1, le=16_384)] = 64
    depth: Annotated[int, Interval(ge=0, le=256)] = 2
    discriminator_width: Annotated[int, Interval(ge=0, le=16_384)] = 0  # 0: as `width`
    generator_depth: Annotated[int, Interval(ge=-1, le=256)] = -1  # -1: as `depth`
    activation: Literal["relu", "tanh"] = "relu"
    initialisation: Literal["pytorch", "normal", "xavier", "kaiming", "orthogonal"] = "pytorch"
    packing: Annotated[int, Interval(ge=1, le=4)] = 1

    def generator(self, data: DataSpec) -> nn.Module:
        depth = self.depth if self.generator_depth == -1 else self.generator_depth
        layers = self._hidden([self.latent_size] + [self.width] * depth)
        width = self.width if depth else self.latent_size
        layers += [nn.Linear(width, prod(data.shape)), nn.Unflatten(1, data.shape)]
        return initialise(nn.Sequential(*layers), self.initialisation)

    def discriminator(self, data: DataSpec) -> nn.Module:
        sizes = [self.packing * prod(data.shape)] + [self.discriminator_width or self.width] * self.depth
        layers = [*packing_layers(self.packing), nn.Flatten(), *self._hidden(sizes)]
        return initialise(nn.Sequential(*layers, nn.Linear(sizes[-1], 1), nn.Flatten(0)), self.initialisation)

    def _hidden(self, sizes: list[int]) -> list[nn.Module]:
        activation = ACTIVATIONS[self.activation]
        return [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), activation())]
