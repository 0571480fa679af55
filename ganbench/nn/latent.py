"""Distributions of a generator's latent points, as its first layer.

Latent points are standard normal everywhere: in training, in evaluation and in exported programs. A generator for other
ones turns them into those itself, so that nothing else has to know.
"""

from __future__ import annotations

import math

from torch import Tensor, nn


class UniformLatent(nn.Module):
    """Standard normal numbers as numbers uniform on (-1, 1): 2 Phi(z) - 1 = erf(z / sqrt(2)), with Phi the normal
    distribution function."""

    def forward(self, z: Tensor) -> Tensor:
        return (z * math.sqrt(0.5)).erf()


def latent_layers(name: str) -> list[nn.Module]:
    """The first layers of a generator whose latent points are of a distribution.

    Args:
        name: `normal`, for which there are none, or `uniform` on (-1, 1).
    """
    return [UniformLatent()] if name == "uniform" else []
