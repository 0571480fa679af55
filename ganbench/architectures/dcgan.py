"""DCGAN (Radford, Metz and Chintala 2016) for square images of any power-of-two size from 8 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
from torch import nn

from ganbench.architectures import Architecture
from ganbench.core.interval import Interval
from ganbench.data import DataSpec


@dataclass(frozen=True)
class DCGAN(Architecture):
    """Strided 4x4 convolutions halve the image down to 4x4 (discriminator) or double it up from there (generator).

    Images of 8 pixels go down to 2x2, so that there is more than one halving.
    `features` is the number of channels next to the image; every halving doubles it. Batch normalisation (by the
    batch's own statistics) is everywhere but next to the image; weights start at N(0, 0.02), its scales at N(1, 0.02).
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 100
    features: Annotated[int, Interval(ge=1, le=4096)] = 64

    def supports(self, data: DataSpec) -> str | None:
        if (
            len(data.shape) != 3
            or data.shape[1] != data.shape[2]
            or data.shape[1] < 8
            or data.shape[1].bit_count() != 1
        ):
            return "it needs square images whose side is a power of two, 8 or more"
        if not data.bounded:
            return "its generator ends in tanh, so it needs examples with values in [-1, 1]"
        return None

    def generator(self, data: DataSpec) -> nn.Module:
        channels = self._channels(data)[::-1]
        layers = [
            nn.Unflatten(1, (self.latent_size, 1, 1)),
            nn.ConvTranspose2d(self.latent_size, channels[0], _innermost(data), bias=False),
        ]
        for wide, narrow in pairwise(channels):
            layers += [_norm(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=False)]
        layers += [_norm(channels[-1]), nn.ReLU()]
        layers += [nn.ConvTranspose2d(channels[-1], data.shape[0], 4, stride=2, padding=1), nn.Tanh()]
        return nn.Sequential(*layers).apply(_initialise)

    def discriminator(self, data: DataSpec) -> nn.Module:
        channels = self._channels(data)
        layers = [nn.Conv2d(data.shape[0], channels[0], 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for narrow, wide in pairwise(channels):
            layers += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=False), _norm(wide), nn.LeakyReLU(0.2)]
        return nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, _innermost(data)), nn.Flatten(0)).apply(_initialise)

    def _channels(self, data: DataSpec) -> list[int]:
        """Channels of the feature maps, from the one next to the image to the innermost."""
        halvings = (data.shape[1] // _innermost(data)).bit_length() - 1
        return [self.features * 2**level for level in range(halvings)]


def _innermost(data: DataSpec) -> int:
    """Side of the innermost feature map."""
    return 4 if data.shape[1] >= 16 else 2


def _norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, track_running_stats=False)


def _initialise(module: nn.Module) -> None:
    with torch.no_grad():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.normal_(0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.normal_(1.0, 0.02)
