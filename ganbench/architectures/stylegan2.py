"""A style-based generator and a residual discriminator (Karras et al. 2019, 2020, StyleGAN2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganbench.architectures import Architecture
from ganbench.architectures._sides import (
    DOUBLED,
    doubled_widths,
    doubles,
    halvings,
    innermost,
    range_fault,
    sides_fault,
)
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.equalised import EqualisedConv2d, EqualisedLinear, activated
from ganbench.nn.minibatch_deviation import MinibatchDeviation
from ganbench.nn.modulated_convolution import ModulatedConv2d
from ganbench.nn.packing import packing_layers
from ganbench.nn.resampling import blurred, downsampled, upsampled

LR_MULTIPLIER = 0.01  # of the mapping network
EPSILON = 1e-8


@dataclass(frozen=True)
class StyleGAN2(Architecture):
    """A mapping network makes a style of the latent point, which scales the channels of every convolution of the
    generator; images are the sum of one image per side, upsampled ("skip"). The discriminator is residual. Weights have
    an equalised learning rate. Studies train it with the non-saturating loss and R1.

    Published are `base_channels` and `max_channels` of 128 and 512 with `latent_size` and `style_size` of 512 at 256
    pixels, and 8 mapping layers, 2 for CIFAR-10; the defaults are a small form.
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 64
    style_size: Annotated[int, Interval(ge=1, le=16_384)] = 64
    """Number of coordinates of a style w."""
    mapping_layers: Annotated[int, Interval(ge=1, le=32)] = 2
    """Number of layers of the mapping network."""
    base_channels: Annotated[int, Interval(ge=1, le=4096)] = 32
    """Number of channels next to the image; every halving of the image doubles it, up to `max_channels`."""
    max_channels: Annotated[int, Interval(ge=0, le=4096)] = 128
    """Largest number of channels; 0 for no limit."""
    noise: bool = True
    """Whether normal noise, one value a pixel, is added to each convolution of the generator, with strengths that are
    learned from 0."""
    minibatch_deviation: bool = False
    """Whether the discriminator is given the standard deviation over the batch (all of it, where StyleGAN2 takes groups
    of 4): its outputs then depend on the other examples of a batch, so that no regularizer goes with it that takes the
    gradient of each example; with `packing_degree` it is that over the groups."""
    output_activation: Literal["tanh", "linear"] = "tanh"
    """Last function of the generator: 'tanh', or 'linear' for none, as published, whose images may leave [-1, 1]."""
    packing_degree: Annotated[int, Interval(ge=1, le=4)] = 1

    def unsupported(self, data: DataSpec) -> str | None:
        return sides_fault(data, DOUBLED, doubles) or range_fault(
            data, self.output_activation, "`output_activation: linear`"
        )

    def generator(self, data: DataSpec) -> nn.Module:
        return _Generator(self, data)

    def discriminator(self, data: DataSpec) -> nn.Module:
        return _Discriminator(self, data)

    def widths(self, data: DataSpec) -> list[int]:
        """Widths of the feature maps, from the innermost to those next to the image."""
        return doubled_widths(1 + halvings(data.shape[1]), self.base_channels, self.max_channels)[::-1]


class _StyledLayer(nn.Module):
    """A modulated 3x3 convolution, noise, bias, and leaky ReLU."""

    def __init__(self, narrow: int, wide: int, style_size: int, *, up: bool, noise: bool) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(narrow, wide, 3, style_size, up=up)
        self.strength = nn.Parameter(torch.zeros(())) if noise else None
        self.bias = nn.Parameter(torch.zeros(wide))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        x = self.convolution(x, style)
        if self.strength is not None:
            x = x + self.strength * torch.randn_like(x[:, :1])
        return activated(x + self.bias[:, None, None])


class _ToImage(nn.Module):
    """A modulated 1x1 convolution and a bias."""

    def __init__(self, narrow: int, channels: int, style_size: int) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(narrow, channels, 1, style_size, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return self.convolution(x, style) + self.bias[:, None, None]


class _Generator(nn.Module):
    def __init__(self, options: StyleGAN2, data: DataSpec) -> None:
        super().__init__()
        widths, side, size = options.widths(data), innermost(data.shape[1]), options.style_size
        sizes = [options.latent_size, *[size] * options.mapping_layers]
        self.mapping = nn.ModuleList(EqualisedLinear(a, b, lr_multiplier=LR_MULTIPLIER) for a, b in pairwise(sizes))
        self.constant = nn.Parameter(torch.randn(widths[0], side, side))
        steps = [(widths[0], widths[0], False)]
        for narrow, wide in pairwise(widths):
            steps += [(narrow, wide, True), (wide, wide, False)]
        self.layers = nn.ModuleList(
            _StyledLayer(narrow, wide, size, up=up, noise=options.noise) for narrow, wide, up in steps
        )
        self.images = nn.ModuleList(_ToImage(width, data.shape[0], size) for width in widths)
        self._bounded = options.output_activation == "tanh"

    def forward(self, z: Tensor) -> Tensor:
        style = z * (z.square().mean(1, keepdim=True) + EPSILON).rsqrt()
        for layer in self.mapping:
            style = activated(layer(style))
        x = self.layers[0](self.constant.repeat(z.shape[0], 1, 1, 1), style)
        image = self.images[0](x, style)
        for index, to_image in enumerate(self.images[1:]):
            for layer in self.layers[2 * index + 1 : 2 * index + 3]:
                x = layer(x, style)
            image = upsampled(image) + to_image(x, style)
        return image.tanh() if self._bounded else image


class _Block(nn.Module):
    """(f(C2 blur f(C1 x)) + C3 x) / sqrt(2) at half the side, C1 and C2 3x3 and C3 1x1 convolutions, f leaky ReLU."""

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.first = EqualisedConv2d(narrow, narrow, 3, padding=1)
        self.second = EqualisedConv2d(narrow, wide, 3, stride=2)
        self.shortcut = EqualisedConv2d(narrow, wide, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        within = activated(self.second(blurred(activated(self.first(x)), 2)))
        return (within + self.shortcut(downsampled(x))) / math.sqrt(2)


class _Discriminator(nn.Module):
    def __init__(self, options: StyleGAN2, data: DataSpec) -> None:
        super().__init__()
        widths, side = options.widths(data)[::-1], innermost(data.shape[1])
        self.packing = nn.Sequential(*packing_layers(options.packing_degree))
        self.first = EqualisedConv2d(options.packing_degree * data.shape[0], widths[0], 1)
        self.blocks = nn.Sequential(*(_Block(narrow, wide) for narrow, wide in pairwise(widths)))
        self.deviation = MinibatchDeviation() if options.minibatch_deviation else nn.Identity()
        self.convolution = EqualisedConv2d(widths[-1] + options.minibatch_deviation, widths[-1], 3, padding=1)
        self.hidden = EqualisedLinear(widths[-1] * side**2, widths[-1])
        self.last = EqualisedLinear(widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.deviation(self.blocks(activated(self.first(self.packing(x)))))
        x = activated(self.convolution(x)).flatten(1)
        return self.last(activated(self.hidden(x)))[:, 0]
