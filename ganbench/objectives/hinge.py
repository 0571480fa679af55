"""The hinge GAN loss (Lim and Ye 2017; Tran, Ranganath and Blei 2017), on scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.objectives import Objective


@dataclass(frozen=True)
class Hinge(Objective):
    """L_D = E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))], L_G = -E[D(G(z))], as SNGAN and BigGAN are trained (Miyato
    et al. 2018, equations 16 and 17)."""

    label_flip_probability: Annotated[float, Interval(ge=0, le=1)] = 0.0

    probability: ClassVar[bool] = False
    decides_by_sign: ClassVar[bool] = True

    def real(self, logits: Tensor) -> Tensor:
        return (1 - logits).relu()

    def fake(self, logits: Tensor) -> Tensor:
        return (1 + logits).relu()

    def generator(self, logits: Tensor) -> Tensor:
        return -logits
