"""Optimizers, one file each: how one player's parameters move along a gradient.

What turns gradients into a new point is the optimizer's; which gradients those are, and in which order the players
move, is the dynamics' (`ganbench/dynamics`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

State = dict[str, Tensor]  # tensors (K, ...), whose first axis is the members', so that members can leave a pack


class Optimizer(ABC):
    """Two pure functions over parameters and gradients (K, P), as in optax. Nothing is changed in place: dynamics that
    look ahead call `step` and drop what it returns.

    A member is a frozen dataclass whose fields are its options. Options that are numbers may be tensors (K, 1), one
    value for each member of a pack, of the parameters' precision.
    """

    @abstractmethod
    def init(self, theta: Tensor) -> State:
        """The state before the first step of parameters (K, P)."""

    @abstractmethod
    def step(self, theta: Tensor, gradient: Tensor, state: State, rate: Tensor) -> tuple[Tensor, State]:
        """Parameters and state after a step.

        Args:
            theta: parameters, (K, P).
            gradient: of the loss in these parameters, (K, P).
            state: of the optimizer before the step.
            rate: learning rates, (K, 1).
        """
