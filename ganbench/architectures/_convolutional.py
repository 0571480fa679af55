"""What the convolutional networks share: normalisations, and published initial weights."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

import torch
from torch import nn

from ganbench.nn.initialization import initialize

CHANNELS_PER_GROUP = 16  # of group normalisation, as in Wu and He (2018)

# By name, the layer that normalises feature maps of so many channels. All but `batch` normalise each example by itself.
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": lambda channels: nn.BatchNorm2d(channels, track_running_stats=False),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "group": lambda channels: nn.GroupNorm(channels // gcd(channels, CHANNELS_PER_GROUP), channels),
    "layer": lambda channels: nn.GroupNorm(1, channels),
}


def norm_layers(name: str, channels: int) -> list[nn.Module]:
    """The layer that normalises feature maps; none for `none`, and for `spectral`, which normalises weights.

    Args:
        name: name of the normalisation.
        channels: number of channels of the feature maps.
    """
    return [NORMS[name](channels)] if name in NORMS else []


def halving(in_channels: int, out_channels: int, kernel: int) -> nn.Conv2d:
    """A convolution that halves feature maps, of which sides are rounded up.

    Args:
        in_channels, out_channels: channels before and after it.
        kernel: side of its kernel, odd.
    """
    return nn.Conv2d(in_channels, out_channels, kernel, stride=2, padding=kernel // 2)


def doubling(
    in_channels: int, out_channels: int, kernel: int, small: tuple[int, int], large: tuple[int, int]
) -> nn.ConvTranspose2d:
    """A transposed convolution that takes feature maps back to the sides that `halving` had of them.

    Args:
        in_channels, out_channels: channels before and after it.
        kernel: side of its kernel, odd.
        small, large: height and width before and after it: n, and 2 n - 1 or 2 n.
    """
    more = tuple(after - (2 * before - 1) for before, after in zip(small, large, strict=True))
    return nn.ConvTranspose2d(in_channels, out_channels, kernel, stride=2, padding=kernel // 2, output_padding=more)


def start_published(network: nn.Module, name: str) -> nn.Module:
    """Draw initial weights as `initialize`, or as the TensorFlow code of DCGAN and its successors.

    `published`: N(0, 0.02^2), cut off at two standard deviations in convolutions; zero biases, unit scales of
    normalisations (ops.py of later versions of carpedm20/DCGAN-tensorflow, and of google/compare_gan of 2018).

    Args:
        network: the network.
        name: `published`, or a name that `initialize` knows.
    """
    if name != "published":
        return initialize(network, name)
    # No entry of INITIALIZATIONS, which draws each layer once: here convolutions are drawn twice, and what a seed gives
    # stays as it was.
    initialize(network, "normal")
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.02, a=-0.04, b=0.04)
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm):
                module.weight.fill_(1.0)
    return network
