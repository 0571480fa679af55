"""Simultaneous descent: both players step from the same point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.dynamics import Dynamics, Optimizer, States, StepResult
from ganbench.dynamics._steps import simultaneous
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)
class Simultaneous(Dynamics):
    """theta <- theta - rate F(theta)."""

    gradients_per_move: ClassVar[int] = 2

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        return simultaneous(match, players, states, batches[0], optimizer, rates)
