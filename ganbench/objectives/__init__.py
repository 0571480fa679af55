"""Objectives, one file each: what the two players minimise, as functions of the discriminator's logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class Objective(ABC):
    """An objective has real(), fake(), generator() and output(): elementwise functions of the logits alone that keep
    their shape and precision and have a gradient (output() needs none).

    The losses are L_D = E_real[real(a)] + E_fake[fake(a)] and L_G = E_fake[generator(a)], with a the logit D(x) of an
    example. The game takes the expectations, over a batch or by quadrature. A subclass is a frozen dataclass whose
    fields are its options.

    Attributes:
        probability: whether `output` is a probability; False for a critic's score.
    """

    probability: ClassVar[bool] = True

    @abstractmethod
    def real(self, logits: Tensor) -> Tensor:
        """The discriminator's loss on real examples.

        Args:
            logits: the discriminator's logits, (K, batch).

        Returns:
            The loss of each example, (K, batch).
        """

    @abstractmethod
    def fake(self, logits: Tensor) -> Tensor:
        """The discriminator's loss on generated examples.

        Args:
            logits: the discriminator's logits, (K, batch).

        Returns:
            The loss of each example, (K, batch).
        """

    @abstractmethod
    def generator(self, logits: Tensor) -> Tensor:
        """The generator's loss on generated examples.

        Args:
            logits: the discriminator's logits, (K, batch).

        Returns:
            The loss of each example, (K, batch).
        """

    @abstractmethod
    def output(self, logits: Tensor) -> Tensor:
        """The discriminator's output as it is recorded.

        Args:
            logits: the discriminator's logits, (K, batch).

        Returns:
            The probability that each example is real, (K, batch); the critic's score where `probability` is False.
        """
