"""Architectures, one file each: pairs of networks.

The modules are ordinary ones, for one run; `ganbench check` tests these rules. They may normalise by the
statistics of the batch, but are functions of their inputs: they keep no state from one call to the next, in buffers
(`BatchNorm2d(..., track_running_stats=False)`), attributes or global values, and draw no random numbers (no dropout).
A run draws all of its numbers from its own streams; initial parameters come from PyTorch's global one, which is seeded
for them. Every parameter is float32, requires a gradient and gets one. Outputs have the inputs' precision, float32 or
float64. So that members can be computed together, nothing branches on values: no `.item()`, `torch.where` for `if`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from ganbench.data import DataSpec


class Architecture(ABC):
    """An architecture has `latent_size`, an integer, and generator(data) and discriminator(data), which return an
    nn.Module for one run: without state between calls, random numbers, or branches on values (tensors' item(), if,
    while), in the precision of its inputs.

    A subclass is a frozen dataclass whose fields are its options, `latent_size` among them or a property.

    Attributes:
        latent_size: number of standard normal values that the generator takes for one example.
    """

    latent_size: int

    def supports(self, data: DataSpec) -> str | None:
        """Whether the networks can be built for a data set.

        Args:
            data: the data set.

        Returns:
            None if they can; otherwise a sentence that names the data sets they can be built for.
        """
        return None

    @abstractmethod
    def generator(self, data: DataSpec) -> nn.Module:
        """The generator, with initial parameters from PyTorch's global random generator.

        Args:
            data: the data set.

        Returns:
            A module from latent points (batch, latent_size) to examples (batch, *data.shape).
        """

    @abstractmethod
    def discriminator(self, data: DataSpec) -> nn.Module:
        """The discriminator, with initial parameters from PyTorch's global random generator.

        Args:
            data: the data set.

        Returns:
            A module from examples (batch, *data.shape) to logits (batch,).
        """
