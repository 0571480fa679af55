"""The minimax GAN loss (Goodfellow et al. 2014, equation 1), on logits; its generator's gradient saturates."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from ganbench.objectives import Objective


@dataclass(frozen=True)
class Minimax(Objective):
    """L_D = E[-ln D(x)] + E[-ln(1 - D(G(z)))], L_G = E[ln(1 - D(G(z)))] with D = sigmoid(logit): a zero-sum game in
    the terms that the generator can change."""

    def real(self, logits: Tensor) -> Tensor:
        return softplus(-logits)

    def fake(self, logits: Tensor) -> Tensor:
        return softplus(logits)

    def generator(self, logits: Tensor) -> Tensor:
        return -softplus(logits)

    def output(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()
