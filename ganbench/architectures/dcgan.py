"""DCGAN (Radford, Metz and Chintala 2016) for square images of any power-of-two size from 8 pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import Annotated, Literal

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganbench.architectures import Architecture
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.packing import packing_layers

CHANNELS_PER_GROUP = 16  # of group normalisation, as in Wu and He (2018)

# By name, the layer that normalises feature maps of so many channels. All but `batch` normalise each example by itself.
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": lambda channels: nn.BatchNorm2d(channels, track_running_stats=False),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "group": lambda channels: nn.GroupNorm(channels // gcd(channels, CHANNELS_PER_GROUP), channels),
    "layer": lambda channels: nn.GroupNorm(1, channels),
}


@dataclass(frozen=True)
class DCGAN(Architecture):
    """Strided 4x4 convolutions halve the image down to 4x4 (discriminator) or double it up from there (generator).

    Images of 8 pixels go down to 2x2, so that there is more than one halving.
    `features` is the number of channels next to the image; every halving doubles it. Normalisation is everywhere but
    next to the image; weights start at N(0, 0.02), its scales at N(1, 0.02). `batch` normalises by the batch's own
    statistics, as in the paper; `instance`, `group` (16 channels a group) and `layer` by those of each example, which
    penalties of the discriminator's gradient need. `spectral` normalises the weights of all convolutions of the
    discriminator instead (Miyato et al. 2018). With `packing` m > 1 the discriminator judges m images together (PacGAN,
    Lin et al. 2018).
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 100
    features: Annotated[int, Interval(ge=1, le=4096)] = 64
    generator_norm: Literal["batch", "instance", "group", "layer", "none"] = "batch"
    discriminator_norm: Literal["batch", "instance", "group", "layer", "spectral", "none"] = "batch"
    packing: Annotated[int, Interval(ge=1, le=4)] = 1

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
        norm, bias = NORMS.get(self.generator_norm), self.generator_norm not in NORMS
        layers = [
            nn.Unflatten(1, (self.latent_size, 1, 1)),
            nn.ConvTranspose2d(self.latent_size, channels[0], _innermost(data), bias=bias),
        ]
        for wide, narrow in pairwise(channels):
            layers += [*_normalised(norm, wide), nn.ReLU()]
            layers += [nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=bias)]
        layers += [*_normalised(norm, channels[-1]), nn.ReLU()]
        layers += [nn.ConvTranspose2d(channels[-1], data.shape[0], 4, stride=2, padding=1), nn.Tanh()]
        return nn.Sequential(*layers).apply(_initialise)

    def discriminator(self, data: DataSpec) -> nn.Module:
        channels = self._channels(data)
        norm, bias = NORMS.get(self.discriminator_norm), self.discriminator_norm not in NORMS
        seen = self.packing * data.shape[0]
        layers = [nn.Conv2d(seen, channels[0], 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for narrow, wide in pairwise(channels):
            layers += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=bias)]
            layers += [*_normalised(norm, wide), nn.LeakyReLU(0.2)]
        head = [nn.Conv2d(channels[-1], 1, _innermost(data)), nn.Flatten(0)]
        network = nn.Sequential(*packing_layers(self.packing), *layers, *head)
        network.apply(_initialise)
        return network.apply(_normalise_weight) if self.discriminator_norm == "spectral" else network

    def _channels(self, data: DataSpec) -> list[int]:
        """Channels of the feature maps, from the one next to the image to the innermost."""
        halvings = (data.shape[1] // _innermost(data)).bit_length() - 1
        return [self.features * 2**level for level in range(halvings)]


def _innermost(data: DataSpec) -> int:
    """Side of the innermost feature map."""
    return 4 if data.shape[1] >= 16 else 2


def _normalised(norm: Callable[[int], nn.Module] | None, channels: int) -> list[nn.Module]:
    return [] if norm is None else [norm(channels)]


def _initialise(module: nn.Module) -> None:
    with torch.no_grad():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.normal_(0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm):
            module.weight.normal_(1.0, 0.02)


def _normalise_weight(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        spectral_norm(module)
