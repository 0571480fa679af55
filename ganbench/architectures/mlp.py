"""Small multilayer perceptrons, for points of the line and the plane."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganbench.architectures import Architecture
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.initialisation import initialise
from ganbench.nn.latent import latent_layers
from ganbench.nn.packing import packing_layers

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
EPSILON = 1e-4  # of the variance in batch normalisation, as in the code of PacGAN


@dataclass(frozen=True)
class MLP(Architecture):
    """`depth` hidden layers of `width` units in each network; both outputs are linear.

    With `generator_depth: 0` the generator is one affine layer: G(z) = w z + b for a latent number and points on the
    line. `generator_norm` normalises the generator's hidden layers before their activation, which then have no biases.
    `discriminator_maxout` k makes each hidden unit of the discriminator the largest of k linear maps of its inputs
    (Goodfellow et al. 2013), in place of `activation`; one map is a linear unit.

    `initialisation`: see `ganbench.nn.initialisation.initialise`. `gain` is a factor of the initial weights that it
    gives, the last layers' too, but not of biases. Latent points are standard normal, or uniform on (-1, 1). With
    `packing` m > 1 the discriminator judges m examples together (PacGAN, Lin et al. 2018).
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 16
    width: Annotated[int, Interval(ge=1, le=16_384)] = 64
    depth: Annotated[int, Interval(ge=0, le=256)] = 2
    discriminator_width: Annotated[int, Interval(ge=0, le=16_384)] = 0  # 0: as `width`
    generator_depth: Annotated[int, Interval(ge=-1, le=256)] = -1  # -1: as `depth`
    activation: Literal["relu", "tanh"] = "relu"
    discriminator_maxout: Annotated[int, Interval(ge=0, le=64)] = 0  # 0: none, but `activation`
    generator_norm: Literal["batch", "none"] = "none"
    initialisation: Literal["pytorch", "normal", "xavier", "kaiming", "orthogonal"] = "pytorch"
    gain: Annotated[float, Interval(gt=0)] = 1.0
    latent: Literal["normal", "uniform"] = "normal"
    packing: Annotated[int, Interval(ge=1, le=4)] = 1

    def generator(self, data: DataSpec) -> nn.Module:
        depth = self.depth if self.generator_depth == -1 else self.generator_depth
        layers, norms = latent_layers(self.latent), self.generator_norm == "batch"
        for a, b in pairwise([self.latent_size] + [self.width] * depth):
            layers += [nn.Linear(a, b, bias=not norms), *[_norm(b)] * norms, ACTIVATIONS[self.activation]()]
        width = self.width if depth else self.latent_size
        layers += [nn.Linear(width, prod(data.shape)), nn.Unflatten(1, data.shape)]
        return self._started(nn.Sequential(*layers))

    def discriminator(self, data: DataSpec) -> nn.Module:
        sizes = [self.packing * prod(data.shape)] + [self.discriminator_width or self.width] * self.depth
        layers, pieces = [*packing_layers(self.packing), nn.Flatten()], self.discriminator_maxout
        for a, b in pairwise(sizes):
            hidden = [nn.Linear(a, pieces * b), Maxout(pieces)] if pieces else [nn.Linear(a, b)]
            layers += hidden if pieces else [*hidden, ACTIVATIONS[self.activation]()]
        return self._started(nn.Sequential(*layers, nn.Linear(sizes[-1], 1), nn.Flatten(0)))

    def _started(self, network: nn.Module) -> nn.Module:
        """The network with its initial weights."""
        initialise(network, self.initialisation)
        with torch.no_grad():
            for layer in network.modules():
                if isinstance(layer, nn.Linear) and self.gain != 1:
                    layer.weight.mul_(self.gain)
        return network


class Maxout(nn.Module):
    """The largest of every `pieces` neighbouring values: (batch, pieces n) to (batch, n). Equal ones share a gradient.

    Args:
        pieces: number of values that one is taken of.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}"

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.pieces)).amax(dim=-1)


def _norm(units: int) -> nn.Module:
    return nn.BatchNorm1d(units, eps=EPSILON, track_running_stats=False)
