"""The Wasserstein critic's loss (Arjovsky, Chintala and Bottou 2017, equation 2): scores, not probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganbench.objectives import Objective


@dataclass(frozen=True)
class Wasserstein(Objective):
    """L_D = E[D(G(z))] - E[D(x)], L_G = -E[D(G(z))]; it estimates the Wasserstein distance only for Lipschitz critics,
    so it needs a regularizer: weight clipping or a gradient penalty."""

    probability: ClassVar[bool] = False

    def real(self, logits: Tensor) -> Tensor:
        return -logits

    def fake(self, logits: Tensor) -> Tensor:
        return logits

    def generator(self, logits: Tensor) -> Tensor:
        return -logits
