"""Architectures, one file each: pairs of networks.

The modules are ordinary ones, for one run; `ganbench check` tries what is said here. They may normalise by the
statistics of the batch, but are functions of their inputs: they keep no state from one call to the next, in buffers
(`BatchNorm2d(..., track_running_stats=False)`), attributes or global values, and draw no random numbers (no dropout).
A run draws all of its numbers from its own streams; initial parameters come from PyTorch's global one, which is seeded
for them. Every parameter is float32, asks for a gradient and gets one. Outputs have the inputs' precision, float32 or
float64. So that members can be computed together, nothing branches on values: no `.item()`, `torch.where` for `if`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from ganbench.data import DataSpec


class Architecture(ABC):
    """A generator and a discriminator. A member is a frozen dataclass whose fields are its options, `latent_size` among
    them or a property."""

    latent_size: int  # the generator's input is a batch of that many standard normal numbers, (batch, latent_size)

    def supports(self, data: DataSpec) -> str | None:
        """None, or why the networks cannot be built for such examples, and for which they could."""
        return None

    @abstractmethod
    def generator(self, data: DataSpec) -> nn.Module:
        """A network from latent points (batch, latent_size) to examples (batch, *data.shape)."""

    @abstractmethod
    def discriminator(self, data: DataSpec) -> nn.Module:
        """A network from examples (batch, *data.shape) to logits (batch,)."""
