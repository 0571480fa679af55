"""Fully connected GANs; without options, hidden layers of 256, 512 and 1024 units at 28x28, scaled to the image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from torch import nn

from ganbench.architectures import Architecture
from ganbench.architectures._sides import range_caution, range_fault
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.heads import BOUNDED, head_layers
from ganbench.nn.initialization import initialize
from ganbench.nn.packing import packing_layers

PIXELS = 28 * 28  # of the images whose networks had the widths 256, 512 and 1024
MIN_WIDTH = 8  # of a layer that is scaled to small images

ACTIVATIONS = {"leaky_relu": lambda: nn.LeakyReLU(0.2), "relu": nn.ReLU}


@dataclass(frozen=True)
class FC(Architecture):
    """The generator's hidden layers widen and have ReLU; the discriminator's have the same widths in reverse, unless
    `discriminator_hidden_sizes` gives others."""

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 100
    hidden_sizes: tuple[Annotated[int, Interval(ge=1, le=16_384)], ...] = (256, 512, 1024)
    """Widths of the generator's hidden layers, from the input on; at 28x28 pixels with `scale_hidden_sizes`."""
    discriminator_hidden_sizes: tuple[Annotated[int, Interval(ge=1, le=16_384)], ...] = ()
    """Widths of the discriminator's hidden layers, from the input on; () for `hidden_sizes` in reverse."""
    scale_hidden_sizes: bool = True
    """Whether widths grow with the square root of the number of pixels, so that a layer's share of the parameters stays
    about the same; otherwise they are those of images of every size."""
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Probability with which a unit of the discriminator's hidden layers is zero in training."""
    discriminator_activation: Literal["leaky_relu", "relu"] = "leaky_relu"
    """Activation of the discriminator's hidden layers; 'leaky_relu' has the slope 0.2 below 0."""
    output_activation: Literal["tanh", "sigmoid"] = "tanh"
    """Last function of the generator: 'tanh' for data in [-1, 1], 'sigmoid' for data in [0, 1]."""
    discriminator_output: Literal["logit", "softmax"] = "logit"
    """Last layer of the discriminator: 'logit', one unit, or 'softmax' over two classes, whose logit is the difference
    of two units."""
    initialization: Literal["pytorch", "normal", "xavier", "kaiming", "orthogonal"] = "pytorch"
    """Initial weights: 'pytorch' leaves PyTorch's own, 'normal' is N(0, 0.02^2), 'xavier' is of Glorot and Bengio
    (2010), 'kaiming' of He et al. (2015), 'orthogonal' of Saxe et al. (2014); see `ganbench.nn.initialization`."""
    packing_degree: Annotated[int, Interval(ge=1, le=4)] = 1

    @property
    def probability_only(self) -> bool:
        return self.discriminator_output == "softmax"

    def unsupported(self, data: DataSpec) -> str | None:
        return range_fault(data, self.output_activation)

    def caution(self, data: DataSpec) -> str | None:
        return range_caution(data, self.output_activation)

    def generator(self, data: DataSpec) -> nn.Module:
        sizes = [self.latent_size, *self._widths(self.hidden_sizes, data)]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        last = [nn.Linear(sizes[-1], prod(data.shape)), BOUNDED[self.output_activation](), nn.Unflatten(1, data.shape)]
        return initialize(nn.Sequential(*layers, *last), self.initialization)

    def discriminator(self, data: DataSpec) -> nn.Module:
        activation = ACTIVATIONS[self.discriminator_activation]
        sizes = [
            self.packing_degree * prod(data.shape),
            *self._widths(self.discriminator_hidden_sizes or self.hidden_sizes[::-1], data),
        ]
        layers: list[nn.Module] = [*packing_layers(self.packing_degree), nn.Flatten()]
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b), activation()]
            layers += [nn.Dropout(self.dropout)] if self.dropout else []
        layers += head_layers(sizes[-1], self.discriminator_output)
        return initialize(nn.Sequential(*layers), self.initialization)

    def _widths(self, widths: tuple[int, ...], data: DataSpec) -> list[int]:
        if not self.scale_hidden_sizes:
            return list(widths)
        scale = (prod(data.shape[-2:]) / PIXELS) ** 0.5
        return [max(MIN_WIDTH, round(width * scale)) for width in widths]
