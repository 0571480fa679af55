"""Consensus optimisation (Mescheder, Nowozin and Geiger 2017, algorithm 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ganbench.core.interval import Interval
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


@dataclass(frozen=True)
class Consensus(Dynamics):
    """theta <- theta - rate (F + gamma J^T F): both players also descend |F|^2 / 2, whose gradient is J^T F."""

    gamma: Annotated[float, Interval(ge=0)] = 10.0
    """Weight of the term J^T F."""

    gradients_per_move: ClassVar[int] = 2 + PRODUCT

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
        damping = here.products(here.gradients, transposed=True)
        gradients = {name: grad + self.gamma * damping[name] for name, grad in here.gradients.items()}
        return StepResult(*apply_gradients(match, players, states, gradients, optimizer, rates), record(here))
