"""Adam (Kingma and Ba 2015, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.optimizers import Optimizer, State, root_of_squares


@dataclass(frozen=True)
class Adam(Optimizer):
    """theta <- theta - rate m^ / (sqrt(v^) + epsilon) with bias-corrected moments m^, v^ of the gradient."""

    beta1: Annotated[float, Interval(ge=0, lt=1)] = 0.5
    """Exponential decay rate of the first moment, the mean of gradients."""
    beta2: Annotated[float, Interval(ge=0, lt=1)] = 0.999
    """Exponential decay rate of the second moment, the mean of squared gradients."""
    epsilon: Annotated[float, Interval(ge=0)] = 1e-8
    """Number added to the denominator."""

    def init(self, theta: Tensor) -> State:
        # The powers of the betas stand for the number of steps: products, where a count would need powers each step.
        ones = torch.ones(theta.shape[0], 1, dtype=theta.dtype, device=theta.device)
        return {"mean": torch.zeros_like(theta), "square": torch.zeros_like(theta), "power1": ones, "power2": ones}

    def step(self, theta: Tensor, gradient: Tensor, state: State, rate: Tensor) -> tuple[Tensor, State]:
        mean = torch.lerp(state["mean"], gradient, 1 - self.beta1)
        square = gradient.square().lerp_(state["square"], self.beta2)
        power1, power2 = state["power1"] * self.beta1, state["power2"] * self.beta2
        scale = root_of_squares(square / (1 - power2)) + self.epsilon
        theta = torch.addcdiv(theta, mean * (-rate / (1 - power1)), scale)
        return theta, {"mean": mean, "square": square, "power1": power1, "power2": power2}
