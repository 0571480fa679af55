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
from ganbench.nn.initialization import initialize
from ganbench.nn.latent import latent_layers
from ganbench.nn.packing import packing_layers

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
EPSILON = 1e-4  # of the variance in batch normalisation, as in the code of PacGAN


@dataclass(frozen=True)
class MLP(Architecture):
    """`depth` hidden layers of `width` units in each network; both outputs are linear."""

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 16
    width: Annotated[int, Interval(ge=1, le=16_384)] = 64
    """Number of units of a hidden layer."""
    depth: Annotated[int, Interval(ge=0, le=256)] = 2
    """Number of hidden layers of each network."""
    discriminator_width: Annotated[int, Interval(ge=0, le=16_384)] = 0
    """Number of units of a hidden layer of the discriminator; 0: as `width`."""
    generator_depth: Annotated[int, Interval(ge=-1, le=256)] = -1
    """Number of hidden layers of the generator; -1: as `depth`; with 0 it is one affine layer, G(z) = w z + b for a
    latent number and points on the line."""
    activation: Literal["relu", "tanh"] = "relu"
    """Activation of the hidden layers."""
    discriminator_maxout: Annotated[int, Interval(ge=0, le=64)] = 0
    """Number k of linear maps of which each hidden unit of the discriminator is the largest (maxout, Goodfellow et al.
    2013), in place of `activation`; 1 is a linear unit, 0 is no maxout."""
    generator_norm: Literal["batch", "none"] = "none"
    """Normalisation of the generator's hidden layers before their activation, which then have no biases."""
    initialization: Literal["pytorch", "normal", "xavier", "kaiming", "orthogonal"] = "pytorch"
    """Initial weights: 'pytorch' leaves PyTorch's own, 'normal' is N(0, 0.02^2), 'xavier' is of Glorot and Bengio
    (2010), 'kaiming' of He et al. (2015), 'orthogonal' of Saxe et al. (2014); see `ganbench.nn.initialization`."""
    gain: Annotated[float, Interval(gt=0)] = 1.0
    """Factor of the initial weights that `initialization` gives, the last layers' too, but not of biases."""
    latent_distribution: Literal["normal", "uniform"] = "normal"
    """Distribution of a latent point's coordinates: standard normal, or uniform on (-1, 1)."""
    packing_degree: Annotated[int, Interval(ge=1, le=4)] = 1

    def generator(self, data: DataSpec) -> nn.Module:
        depth = self.depth if self.generator_depth == -1 else self.generator_depth
        layers, norms = latent_layers(self.latent_distribution), self.generator_norm == "batch"
        for a, b in pairwise([self.latent_size] + [self.width] * depth):
            layers += [nn.Linear(a, b, bias=not norms), *[_norm(b)] * norms, ACTIVATIONS[self.activation]()]
        width = self.width if depth else self.latent_size
        layers += [nn.Linear(width, prod(data.shape)), nn.Unflatten(1, data.shape)]
        return self._started(nn.Sequential(*layers))

    def discriminator(self, data: DataSpec) -> nn.Module:
        sizes = [self.packing_degree * prod(data.shape)] + [self.discriminator_width or self.width] * self.depth
        layers, pieces = [*packing_layers(self.packing_degree), nn.Flatten()], self.discriminator_maxout
        for a, b in pairwise(sizes):
            hidden = [nn.Linear(a, pieces * b), Maxout(pieces)] if pieces else [nn.Linear(a, b)]
            layers += hidden if pieces else [*hidden, ACTIVATIONS[self.activation]()]
        return self._started(nn.Sequential(*layers, nn.Linear(sizes[-1], 1), nn.Flatten(0)))

    def _started(self, network: nn.Module) -> nn.Module:
        """The network with its initial weights."""
        initialize(network, self.initialization)
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
