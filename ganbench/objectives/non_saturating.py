"""The non-saturating GAN loss (Goodfellow et al. 2014, section 3), on logits."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from ganbench.objectives import Objective


@dataclass(frozen=True)
class NonSaturating(Objective):
    """L_D = E[-ln D(x)] + E[-ln(1 - D(G(z)))], L_G = E[-ln D(G(z))] with D = sigmoid(logit).

    Written with softplus(a) = ln(1 + e^a), since -ln sigmoid(a) = softplus(-a): gradients keep their value at any
    logit, where sigmoid followed by a logarithm loses them.
    """

    def real(self, logits: Tensor) -> Tensor:
        return softplus(-logits)

    def fake(self, logits: Tensor) -> Tensor:
        return softplus(logits)

    def generator(self, logits: Tensor) -> Tensor:
        return softplus(-logits)

    def output(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()
