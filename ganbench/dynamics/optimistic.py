"""Optimistic descent (Daskalakis et al. 2018): twice the current step minus the previous one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from ganbench.dynamics import Dynamics, Optimizer, States, StepResult, apply_gradients, record, simultaneous_gradient
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)
class Optimistic(Dynamics):
    """theta <- theta - rate (2 F_t - F_(t-1)), with F_(-1) = 0."""

    optimism: Literal["step", "gradient"] = "step"
    """Where the past enters. With 'step', theta <- theta + 2 s_t - s_(t-1), with s_t the step that the optimizer takes
    along F_t: with Adam that is Optimistic Adam (Daskalakis et al. 2018, algorithm 1). With 'gradient', the optimizer
    is given 2 F_t - F_(t-1). With plain gradient steps both are the same."""

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
        here, past = simultaneous_gradient(match, players, batches[0]), states["past"]
        if self.optimism == "gradient":
            gradients = {name: 2 * grad - past[name] for name, grad in here.gradients.items()}
            after, new_states = apply_gradients(match, players, states, gradients, optimizer, rates)
            return StepResult(after, new_states | {"past": here.gradients}, record(here))
        after, new_states, steps = {}, dict(states), {}
        for name, grad in here.gradients.items():
            ahead, new_states[name] = optimizer.step(players[name], grad, states[name], rates[name])
            steps[name] = ahead - players[name]
            after[name] = match.project(name, ahead + (steps[name] - past[name]))
        return StepResult(after, new_states | {"past": steps}, record(here))
