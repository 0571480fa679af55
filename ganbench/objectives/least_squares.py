"""The least squares GAN loss (Mao et al. 2017, equation 2), on scores: regression on labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.objectives import Objective


@dataclass(frozen=True)
class LeastSquares(Objective):
    """L_D = E[(D(x) - b)^2] / 2 + E[(D(G(z)) - a)^2] / 2, L_G = E[(D(G(z)) - c)^2] / 2, with the labels a = 0, b = 1
    and c = 1 (equation 9); -1, 1 and 0 make L_G a Pearson divergence (equation 8)."""

    fake_label: Annotated[float, Interval(ge=-100, le=100)] = 0.0
    """Label a of generated examples in L_D."""
    real_label: Annotated[float, Interval(ge=-100, le=100)] = 1.0
    """Label b of real examples in L_D; below 1 it is one-sided label smoothing."""
    generator_label: Annotated[float, Interval(ge=-100, le=100)] = 1.0
    """Label c that the generator wants of its own examples."""
    label_flip_probability: Annotated[float, Interval(ge=0, le=1)] = 0.0

    probability: ClassVar[bool] = False

    def real(self, logits: Tensor) -> Tensor:
        return (logits - self.real_label).square() / 2

    def fake(self, logits: Tensor) -> Tensor:
        return (logits - self.fake_label).square() / 2

    def generator(self, logits: Tensor) -> Tensor:
        return (logits - self.generator_label).square() / 2
