"""Gradient descent, with optional heavy-ball momentum (negative momentum included)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench.updates import Memory


@dataclass(frozen=True)
class Update:
    """v <- momentum v + g, theta <- theta - rate v; without momentum nothing is remembered."""

    momentum: float = 0.0

    def init(self, theta: Tensor) -> Memory:
        return {"velocity": torch.zeros_like(theta)} if self.momentum else {}

    def step(self, theta: Tensor, gradient: Tensor, memory: Memory, rate: Tensor) -> tuple[Tensor, Memory]:
        if not self.momentum:
            return theta - rate * gradient, memory
        velocity = self.momentum * memory["velocity"] + gradient
        return theta - rate * velocity, {"velocity": velocity}
