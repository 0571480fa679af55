"""The cross entropy of probabilities, as code of sigmoid and BCELoss minimises it: gradients die where these round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from torch import Tensor
from torch.autograd import Function

from ganbench.core.interval import Interval
from ganbench.objectives import Objective

MIN_LOG = -100.0  # of a probability, in PyTorch's BCELoss
MIN_VARIANCE = 1e-12  # p (1 - p), by which its gradient is divided


@dataclass(frozen=True)
class BinaryCrossEntropy(Objective):
    """L_D = E[-ln D(x)] + E[-ln(1 - D(G(z)))] (Goodfellow et al. 2014, equation 1) and L_G = E[-ln D(G(z))], or
    E[ln(1 - D(G(z)))] if it is `saturating`. D = sigmoid(logit) is computed in the precision of training, and the cross
    entropies are those of PyTorch's BCELoss, as in code whose discriminator ends in a sigmoid.

    `non_saturating` and `minimax` are the same formulas on logits, whose gradient in the logit is D - y for a label y.
    BCELoss gives (D - y) min(1, D (1 - D) / 1e-12) instead: it fades at logits beyond 28 in size, and is exactly zero
    where D rounds to 0 or 1, right or wrong. In float32 D is 1 from a logit of 17 on.
    """

    saturating: bool = False
    """Whether the generator descends E[ln(1 - D(G(z)))] in place of E[-ln D(G(z))]."""
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Label smoothing s: real examples have the label 1 - s in L_D (Salimans et al. 2016, section 3.4)."""
    two_sided_smoothing: bool = False
    """Whether generated examples have the label s in L_D; otherwise 0."""
    label_flip_probability: Annotated[float, Interval(ge=0, le=1)] = 0.0

    def real(self, logits: Tensor) -> Tensor:
        return _BCELoss.apply(logits.sigmoid(), 1 - self.label_smoothing)

    def fake(self, logits: Tensor) -> Tensor:
        return _BCELoss.apply(logits.sigmoid(), self.label_smoothing if self.two_sided_smoothing else 0.0)

    def generator(self, logits: Tensor) -> Tensor:
        p = logits.sigmoid()
        return -_BCELoss.apply(p, 0.0) if self.saturating else _BCELoss.apply(p, 1.0)


class _BCELoss(Function):
    """-y ln p - (1 - y) ln(1 - p) of probabilities p and one label y, with the values and gradients of
    `torch.nn.functional.binary_cross_entropy`. That function raises an error for a p that is not a number, or on a GPU
    ends the process: a run that diverges would take its pack along."""

    @staticmethod
    def forward(p: Tensor, label: float) -> Tensor:
        log_p, log_not_p = p.log().clamp(min=MIN_LOG), (-p).log1p().clamp(min=MIN_LOG)
        return (label - 1) * log_not_p - label * log_p

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        p, ctx.label = inputs
        ctx.save_for_backward(p)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (p,) = ctx.saved_tensors
        return gradient * (p - ctx.label) / ((1 - p) * p).clamp(min=MIN_VARIANCE), None
