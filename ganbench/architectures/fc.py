"""The fully connected GAN with hidden layers of 256, 512 and 1024 units at 28x28, scaled to the image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Annotated

from torch import nn

from ganbench.architectures import Architecture
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.packing import packing_layers

PIXELS = 28 * 28  # of the images whose networks had the widths 256, 512 and 1024


@dataclass(frozen=True)
class FC(Architecture):
    """Generator with growing layers, ReLU and tanh; discriminator with the same layers shrinking, LeakyReLU(0.2).

    The widths grow with the square root of the number of pixels, so that a layer's share of the parameters stays about
    the same: `hidden` gives the widths at 28x28. With `packing` m > 1 the discriminator judges m examples together
    (PacGAN, Lin et al. 2018).
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 100
    hidden: tuple[Annotated[int, Interval(ge=1, le=16_384)], ...] = (256, 512, 1024)
    packing: Annotated[int, Interval(ge=1, le=4)] = 1

    def supports(self, data: DataSpec) -> str | None:
        if not data.bounded:
            return "its generator ends in tanh, so it needs examples with values in [-1, 1]"
        return None

    def generator(self, data: DataSpec) -> nn.Module:
        sizes = [self.latent_size, *self._widths(data)]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], prod(data.shape)), nn.Tanh(), nn.Unflatten(1, data.shape))

    def discriminator(self, data: DataSpec) -> nn.Module:
        sizes = [self.packing * prod(data.shape), *reversed(self._widths(data))]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
        return nn.Sequential(
            *packing_layers(self.packing), nn.Flatten(), *layers, nn.Linear(sizes[-1], 1), nn.Flatten(0)
        )

    def _widths(self, data: DataSpec) -> list[int]:
        scale = (prod(data.shape[-2:]) / PIXELS) ** 0.5
        return [max(8, round(width * scale)) for width in self.hidden]
