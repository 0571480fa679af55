"""Gradient descent, with optional heavy-ball momentum (negative momentum included) and falling learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.optimizers import Optimizer, State


@dataclass(frozen=True)
class SGD(Optimizer):
    """v <- momentum v + g, theta <- theta - rate v / k^decay_exponent at the k-th step, k = 1, 2, ...: an exponent of
    1 is a rate of a / k. The state holds only the tensors in use: plain descent has none.
    """

    momentum: Annotated[float, Interval(gt=-1, lt=1)] = 0.0
    """Share of the velocity v that is kept at each step; below 0 it is negative momentum."""
    decay_exponent: Annotated[float, Interval(ge=0, le=10)] = 0.0
    """Power of the step's number k by which the learning rate is divided; 0 keeps it."""

    def init(self, theta: Tensor) -> State:
        state = {}
        if _used(self.momentum):
            state["velocity"] = torch.zeros_like(theta)
        if _used(self.decay_exponent):
            state["steps"] = torch.zeros(theta.shape[0], 1, dtype=torch.int64, device=theta.device)
        return state

    def step(self, theta: Tensor, gradient: Tensor, state: State, rate: Tensor) -> tuple[Tensor, State]:
        after = {}
        if _used(self.momentum):
            gradient = after["velocity"] = self.momentum * state["velocity"] + gradient
        if _used(self.decay_exponent):
            after["steps"] = state["steps"] + 1
            rate = rate / after["steps"].to(theta.dtype) ** self.decay_exponent
        return theta - rate * gradient, after


def _used(option: float | Tensor) -> bool:
    """Whether an option is in use; one with a value per member, (K, 1), always is."""
    return isinstance(option, Tensor) or option != 0
