"""R1: zero-centred gradient penalty on real examples (Mescheder, Geiger and Nowozin 2018, equation 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Regularizer:
    """(gamma / 2) E[ |grad_x D(x)|^2 ] over real examples x, with D the logit."""

    gamma: float = 1.0

    def penalty(self, discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor | None:
        real = real.detach().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
        return self.gamma / 2 * slope.flatten(2).square().sum(-1).mean(-1)
