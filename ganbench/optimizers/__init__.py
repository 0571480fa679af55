"""Optimizers, one file each: how one player's parameters move along a gradient.

An optimizer turns gradients into new parameters. The dynamics (`ganbench/dynamics`) choose the gradients and the
order in which the players move.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

State = dict[str, Tensor]  # {name: (K, ...)}; the first axis is the members', so that members can leave a pack


class Optimizer(ABC):
    """An optimizer has init(theta) and step(theta, gradient, state, rate), which are pure functions and change nothing
    in place; theta is (K, P), and a state is a dict of tensors whose first axis is the member's.

    Dynamics that look ahead call `step` and drop what it returns, as with optax, and unrolling differentiates `step` in
    theta, gradient and state. A subclass is a frozen dataclass whose fields are its options. Numeric options may be
    tensors (K, 1), one value per member, in the parameters' precision.
    """

    @abstractmethod
    def init(self, theta: Tensor) -> State:
        """The state before the first step.

        Args:
            theta: parameters, (K, P).

        Returns:
            Tensors (K, ...) by name; an empty dict for an optimizer without state.
        """

    @abstractmethod
    def step(self, theta: Tensor, gradient: Tensor, state: State, rate: Tensor) -> tuple[Tensor, State]:
        """One step of every member.

        Args:
            theta: parameters, (K, P).
            gradient: gradient of the loss in these parameters, (K, P).
            state: the state before the step.
            rate: learning rates, (K, 1).

        Returns:
            The new parameters, (K, P), and the new state, under the same names.
        """


def root_of_squares(squares: Tensor) -> Tensor:
    """The square root of squared gradients or means of them, with the derivative 0 at 0.

    sqrt(g^2) is |g|, whose one-sided derivatives at 0 cancel, while the derivative of the root alone is infinite there
    and times that of the square, 0, would be NaN. With 0 instead, a step such as g / (|g| + epsilon) has at g = 0 the
    derivative that it does have, 1 / epsilon.
    """
    if not squares.requires_grad:
        return squares.sqrt()
    zero = squares == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, squares).sqrt())
