"""Architectures, one file each: pairs of networks.

The modules are ordinary ones, for one run; `ganbench check` tests these rules. What a network keeps from one forward
pass to the next is in buffers: running statistics, the vectors of `torch.nn.utils.parametrizations.spectral_norm`.
Buffers belong to the run: they are part of its snapshots and checkpoints. Random numbers come from PyTorch's functions
(dropout, `torch.randn_like`), which are answered from the run's own stream while it trains; initial parameters come
from PyTorch's global stream, which is seeded for them. Every parameter is float32, requires a gradient and gets one.
Outputs have the inputs' precision, float32 or float64.

Members of a pack are computed together where PyTorch's vmap can do that. It cannot where a module branches on values
(`.item()`, `if` of a tensor; `torch.where` is the remedy); such networks are computed one member after the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from ganbench.data import DataSpec


class Architecture(ABC):
    """An architecture has `latent_size`, an integer, and generator(data) and discriminator(data), which return an
    nn.Module for one run: a function of its inputs, its parameters, its buffers and PyTorch's random numbers, in the
    precision of its inputs.

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
