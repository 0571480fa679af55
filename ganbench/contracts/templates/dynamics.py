"""Descent along a mixture of two gradients: the present one, and that of the step before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from ganbench.core.interval import Interval
from ganbench.dynamics import Dynamics, Optimizer, States, StepResult, apply_gradients, record, simultaneous_gradient
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyDynamics(Dynamics):
    """theta <- theta - rate ((1 - past) F_t + past F_(t-1)), with F the simultaneous gradient and F_(-1) = 0; a
    negative `past` is optimism."""

    past: Annotated[float, Interval(gt=-2, lt=1)] = -0.5
    """Share of the past gradient; negative shares are optimism."""

    gradients_per_move: ClassVar[int] = 2  # the cost of a move, in gradients of one player

    def init(self, match: Match, players: Players, optimizer: Optimizer) -> States:
        # The optimizer's states under the players' names, from the base class; the dynamics' own under other names.
        before = {name: torch.zeros_like(theta) for name, theta in players.items()}
        return super().init(match, players, optimizer) | {"before": before}

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        # Parameters are (K, P) of each player, of K runs; the first axis of every state is the runs' as well.
        # Everything new is returned, and nothing that is given is changed in place.
        here = simultaneous_gradient(match, players, batches[0])
        mixed = {
            name: (1 - self.past) * grad + self.past * states["before"][name] for name, grad in here.gradients.items()
        }
        moved, new_states = apply_gradients(match, players, states, mixed, optimizer, rates)
        return StepResult(moved, new_states | {"before": here.gradients}, record(here))
