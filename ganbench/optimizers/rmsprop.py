"""RMSProp (Tieleman and Hinton 2012), as in `torch.optim.RMSprop`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.optimizers import Optimizer, State, root_of_squares


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """v <- alpha v + (1 - alpha) g^2, theta <- theta - rate g / (sqrt(v) + epsilon), from v = 0.

    TensorFlow's RMSProp differs not only by its `decay` (alpha here) of 0.9: it starts at v = 1, and epsilon, 1e-10, is
    under the root.
    """

    alpha: Annotated[float, Interval(ge=0, lt=1)] = 0.99
    """Exponential decay rate of v, the mean of squared gradients."""
    epsilon: Annotated[float, Interval(ge=0)] = 1e-8
    """Number added to the denominator."""

    def init(self, theta: Tensor) -> State:
        return {"square": torch.zeros_like(theta)}

    def step(self, theta: Tensor, gradient: Tensor, state: State, rate: Tensor) -> tuple[Tensor, State]:
        square = gradient.square().lerp_(state["square"], self.alpha)
        theta = torch.addcdiv(theta, -rate * gradient, root_of_squares(square) + self.epsilon)
        return theta, {"square": square}
