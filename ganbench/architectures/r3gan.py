"""R3GAN: residual networks without normalisation (Huang, Gokaslan, Kuleshov and Tompkin 2024)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

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
from ganbench.nn.packing import packing_layers
from ganbench.nn.resampling import downsampled, upsampled

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # of leaky ReLU (He et al. 2015, equation 15)
EXPANSION = 2  # of the channels within a block

# PyTorch computes second derivatives of a convolution in groups group by group, and yet groups pay: with the default
# widths at 16 pixels, batch 16, R1 and R2, on one thread, a step took 364 ms with 16 channels a group, 500 with 32 and
# 867 with all; in a pack of four runs, 527, 604 and 1,065 for each.


@dataclass(frozen=True)
class R3GAN(Architecture):
    """Inverted bottlenecks with grouped convolutions, leaky ReLU, bilinear resampling, and no normalisation; the
    discriminator mirrors the generator. Trained by `relativistic_pairing` with R1 and R2.

    A stage is `blocks` blocks x + C3 f(C2 f(C1 x)): C1 and C3 are 1x1 convolutions to and from twice the width, C2 is
    3x3 in groups, f adds a bias and is leaky ReLU(0.2). As in Fixup (Zhang, Dauphin and Ma 2019), C3 starts at zero
    and the gains of C1 and C2 are divided by the fourth root of the number of blocks of a network. The innermost
    feature map, of side 4 to 7, is a learned map scaled channel by channel by a linear function of the latent point.

    Published are `base_channels` and `max_channels` of 768 and 768 at 32 pixels (CIFAR-10), 384 and 768 at 64 pixels
    and 96 and 768 at 256 pixels (FFHQ); the defaults are a small form.
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 64
    base_channels: Annotated[int, Interval(ge=1, le=4096)] = 32
    """Number of channels next to the image; every halving of the image doubles it, up to `max_channels`."""
    max_channels: Annotated[int, Interval(ge=0, le=4096)] = 128
    """Largest number of channels; 0 for no limit."""
    blocks: Annotated[int, Interval(ge=1, le=16)] = 2
    """Number of residual blocks of a stage."""
    group_width: Annotated[int, Interval(ge=0, le=4096)] = 16
    """Number of channels of a group of the 3x3 convolutions, or the largest part of it that fits, 16 as published; 0 is
    one group of all."""
    output_activation: Literal["tanh", "linear"] = "tanh"
    """Last function of the generator: 'tanh', or 'linear' for none, as published, whose images may leave [-1, 1]."""
    conditioning: Literal["none", "projection"] = "none"
    """How networks take labels: not at all, or by 'projection', which joins an embedding of the label to the latent
    point, and makes the discriminator's output the product with another one."""
    packing_degree: Annotated[int, Interval(ge=1, le=4)] = 1

    @property
    def conditional(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("generator", "discriminator") if self.conditioning == "projection" else ()

    def unsupported(self, data: DataSpec) -> str | None:
        return sides_fault(data, DOUBLED, doubles) or range_fault(
            data, self.output_activation, "`output_activation: linear`"
        )

    def generator(self, data: DataSpec) -> nn.Module:
        return _Generator(self, data)

    def discriminator(self, data: DataSpec) -> nn.Module:
        return _Discriminator(self, data)

    def stage_widths(self, data: DataSpec) -> list[int]:
        """Widths of the stages, from the innermost to the one next to the image."""
        return doubled_widths(1 + halvings(data.shape[1]), self.base_channels, self.max_channels)[::-1]

    def stage(self, width: int, stages: int) -> list[nn.Module]:
        """The blocks of one of so many stages."""
        scale = (self.blocks * stages) ** -0.25
        within = EXPANSION * width
        groups = within // math.gcd(within, self.group_width) if self.group_width else 1
        return [_Block(width, within, groups, scale) for _ in range(self.blocks)]


def _started(layer: nn.Module, gain: float = 1.0) -> nn.Module:
    """A layer with weights of N(0, gain^2 / inputs) and biases of 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class _Block(nn.Module):
    """x + C3 f(C2 f(C1 x)); `scale` multiplies the gains of C1 and C2."""

    def __init__(self, width: int, within: int, groups: int, scale: float) -> None:
        super().__init__()
        self.expand = _started(nn.Conv2d(width, within, 1), GAIN * scale)
        self.mix = _started(nn.Conv2d(within, within, 3, padding=1, groups=groups), GAIN * scale)
        self.reduce = _started(nn.Conv2d(within, width, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        within = leaky_relu(self.expand(x), SLOPE)
        return x + self.reduce(leaky_relu(self.mix(within), SLOPE))


class _Resample(nn.Module):
    """Twice or half the side, and a 1x1 convolution where the width changes, on the smaller of the two maps."""

    def __init__(self, narrow: int, wide: int, *, up: bool) -> None:
        super().__init__()
        self.change = _started(nn.Conv2d(narrow, wide, 1, bias=False)) if narrow != wide else nn.Identity()
        self._up = up

    def forward(self, x: Tensor) -> Tensor:
        return upsampled(self.change(x)) if self._up else self.change(downsampled(x))


class _Generator(nn.Module):
    def __init__(self, options: R3GAN, data: DataSpec) -> None:
        super().__init__()
        side, latent, widths = innermost(data.shape[1]), options.latent_size, options.stage_widths(data)
        self.embedding = None
        if options.conditional:
            self.embedding = nn.Embedding(data.modes, latent)
            nn.init.normal_(self.embedding.weight, 0.0, data.modes**-0.5)
        self.basis = nn.Parameter(torch.randn(widths[0], side, side))
        self.first = _started(nn.Linear(latent * (2 if options.conditional else 1), widths[0], bias=False))
        layers = options.stage(widths[0], len(widths))
        for narrow, wide in pairwise(widths):
            layers += [_Resample(narrow, wide, up=True), *options.stage(wide, len(widths))]
        self.stages = nn.Sequential(*layers)
        self.last = _started(nn.Conv2d(widths[-1], data.shape[0], 1, bias=False))
        self._bounded = options.output_activation == "tanh"

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], dim=1)
        x = self.last(self.stages(self.basis * self.first(z)[:, :, None, None]))
        return x.tanh() if self._bounded else x


class _Discriminator(nn.Module):
    def __init__(self, options: R3GAN, data: DataSpec) -> None:
        super().__init__()
        side, outwards = innermost(data.shape[1]), options.stage_widths(data)[::-1]
        widest = outwards[-1]
        self.packing = nn.Sequential(*packing_layers(options.packing_degree))
        self.first = _started(nn.Conv2d(options.packing_degree * data.shape[0], outwards[0], 1, bias=False))
        layers = options.stage(outwards[0], len(outwards))
        for narrow, wide in pairwise(outwards):
            layers += [_Resample(narrow, wide, up=False), *options.stage(wide, len(outwards))]
        self.stages = nn.Sequential(*layers)
        self.basis = nn.Parameter(torch.randn(widest, side, side) / side)
        self.embedding = None
        if options.conditional:
            self.embedding = nn.Embedding(data.modes, widest)
            nn.init.normal_(self.embedding.weight, 0.0, (data.modes * widest) ** -0.5)
        self.last = _started(nn.Linear(widest, widest if options.conditional else 1, bias=False))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.last((self.basis * self.stages(self.first(self.packing(x)))).sum((2, 3)))
        return features[:, 0] if self.embedding is None else (features * self.embedding(labels)).sum(1)
