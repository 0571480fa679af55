"""Extrapolation from the past (Popov 1980; Gidel et al. 2019): extragradient at the cost of one gradient a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ganbench.dynamics import Dynamics, Optimizer, States, StepResult, apply_gradients, record, simultaneous_gradient
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)
class ExtrapolationFromPast(Dynamics):
    """theta' = theta - rate F(last theta'); theta <- theta - rate F(theta'), both by the optimizer, whose state
    the trial step does not change.

    Before the first step the past gradient is 0. With plain gradient steps the trial points theta' are then, step for
    step, the iterates of optimistic descent: both have mu^2 - (1 - 2 rate lambda) mu - rate lambda = 0 for eigenvalues
    lambda of J. Losses and gradients are recorded at theta', the only point at which they are computed.
    """

    gradients_per_move: ClassVar[int] = 2

    def init(self, match: Match, players: Players, optimizer: Optimizer) -> States:
        past = {name: torch.zeros_like(theta) for name, theta in players.items()}
        return super().init(match, players, optimizer) | {"past": past}

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        ahead, _ = apply_gradients(match, players, states, states["past"], optimizer, rates)
        there = simultaneous_gradient(match, ahead, batches[0])
        after, new_states = apply_gradients(match, players, states, there.gradients, optimizer, rates)
        return StepResult(after, new_states | {"past": there.gradients}, record(there))
