"""Symplectic gradient adjustment (Balduzzi et al. 2018; Letcher et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganbench.dynamics import (
    PRODUCT,
    Dynamics,
    Optimizer,
    States,
    StepResult,
    apply_gradients,
    record,
    simultaneous_gradient,
)
from ganbench.games import Batch, LearningRates, Match, Players

EPSILON = 0.1  # of the paper's alignment: in doubt the adjustment points to stable fixed points


@dataclass(frozen=True)
class Symplectic(Dynamics):
    """theta <- theta - rate (F + lambda A^T F), with A = (J - J^T) / 2 the rotation in the field and lambda the
    `adjustment`.

    With `align`, lambda takes the sign of <F, grad H> <A^T F, grad H> / d + 1/10 of each member, where H = |F|^2 / 2,
    grad H = J^T F, and d is the number of parameters of both players: the adjustment then draws towards stable fixed
    points and away from unstable ones (algorithm 1; the authors' code divides by the number of tensors instead).
    """

    adjustment: float = 1.0
    """Weight lambda of A^T F, of which `align` changes the sign."""
    align: bool = True
    """Whether lambda takes the sign by which the adjustment draws towards stable fixed points and away from unstable
    ones (algorithm 1)."""

    gradients_per_move: ClassVar[int] = 2 + 2 * PRODUCT

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        here = simultaneous_gradient(match, players, batches[0], differentiable=True)
        forth, back = here.products(here.gradients), here.products(here.gradients, transposed=True)
        turned = {name: (back[name] - forth[name]) / 2 for name in back}
        scale = self.adjustment
        if self.align:
            size = sum(theta.shape[1] for theta in players.values())
            scale = scale * torch.sign(_inner(here.gradients, back) * _inner(turned, back) / size + EPSILON)
        gradients = {name: grad + scale * turned[name] for name, grad in here.gradients.items()}
        return StepResult(*apply_gradients(match, players, states, gradients, optimizer, rates), record(here))


def _inner(one: Players, other: Players) -> Tensor:
    """Inner products over both players' parameters, (K, 1)."""
    return sum((one[name].detach() * other[name]).sum(1, keepdim=True) for name in one)
