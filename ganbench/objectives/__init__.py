"""Objectives, one file each: what the two players minimise, as functions of the discriminator's logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class Objective(ABC):
    """The losses L_D = E_real[real(a)] + E_fake[fake(a)] and L_G = E_fake[generator(a)], with a the logit D(x) of an
    example. The game takes the expectations, over a batch or by quadrature.

    All four functions are elementwise functions of the logits alone, and keep their shape and precision. A member is a
    frozen dataclass whose fields are its options.
    """

    probability: ClassVar[bool] = True  # whether `output` is a probability; where not, nobody reads it as one

    @abstractmethod
    def real(self, logits: Tensor) -> Tensor:
        """The discriminator's loss of real examples."""

    @abstractmethod
    def fake(self, logits: Tensor) -> Tensor:
        """The discriminator's loss of generated examples."""

    @abstractmethod
    def generator(self, logits: Tensor) -> Tensor:
        """The generator's loss of generated examples."""

    @abstractmethod
    def output(self, logits: Tensor) -> Tensor:
        """The discriminator's output, as it is recorded: the probability of being real, or the critic's score where the
        objective has no probability."""
