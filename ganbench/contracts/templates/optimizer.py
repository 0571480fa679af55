"""Gradient descent with momentum, whose steps have a largest length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.optimizers import Optimizer, State, root_of_squares


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyOptimizer(Optimizer):
    """v <- momentum v + g, theta <- theta - rate v min(1, longest / |v|)."""

    momentum: Annotated[float, Interval(gt=-1, lt=1)] = 0.0
    """Share of the velocity that is kept at each step."""
    longest: Annotated[float, Interval(gt=0)] = 1.0
    """Largest length of a step, in multiples of the learning rate."""

    def init(self, theta: Tensor) -> State:
        # Tensors whose first axis is the runs', so that runs can leave a pack; {} for an optimizer without state.
        return {"velocity": torch.zeros_like(theta)}

    def step(self, theta: Tensor, gradient: Tensor, state: State, rate: Tensor) -> tuple[Tensor, State]:
        # theta and gradient are (K, P), rate is (K, 1). A function of its arguments, which changes none of them;
        # everything is computed of each run by itself: over axis 1, never over axis 0.
        velocity = self.momentum * state["velocity"] + gradient
        length = root_of_squares(velocity.square().sum(1, keepdim=True))
        step = velocity * (self.longest / length.clamp(min=self.longest))
        return theta - rate * step, {"velocity": velocity}
