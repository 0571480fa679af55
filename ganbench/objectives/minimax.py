"""The minimax GAN loss (Goodfellow et al. 2014, equation 1), on logits; its generator's gradient saturates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor
from torch.nn.functional import softplus

from ganbench.core.interval import Interval
from ganbench.objectives import CrossEntropy


@dataclass(frozen=True)
class Minimax(CrossEntropy):
    """L_D = E[-ln D(x)] + E[-ln(1 - D(G(z)))], L_G = E[ln(1 - D(G(z)))] with D = sigmoid(logit): a zero-sum game in
    the terms that the generator can change.
    """

    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Label smoothing s: real examples have the label 1 - s in L_D (Salimans et al. 2016, section 3.4)."""
    two_sided_smoothing: bool = False
    """Whether generated examples have the label s in L_D; otherwise 0."""
    label_flip_probability: Annotated[float, Interval(ge=0, le=1)] = 0.0

    def generator(self, logits: Tensor) -> Tensor:
        return -softplus(logits)
