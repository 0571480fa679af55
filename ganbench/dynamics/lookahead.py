"""Lookahead-minimax (Chavdarova et al. 2021): every few steps both players go part of the way back to slow weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch

from ganbench.core.interval import Interval
from ganbench.dynamics import Dynamics, Optimizer, States, StepResult
from ganbench.dynamics._steps import clock, inner_step
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)
class Lookahead(Dynamics):
    """After every `sync_period` steps of the `inner` dynamics, theta <- slow + alpha (theta - slow), and slow <- theta.

    Going back costs no gradient, so a step costs as much as the inner one; it does not change the optimizer's state.
    Snapshots keep the fast weights; after a multiple of `sync_period` steps they are the slow ones.
    """

    inner: Literal["simultaneous", "alternating"] = "alternating"
    """Dynamics by which the fast weights move."""
    sync_period: Annotated[int, Interval(ge=1, le=1_000_000_000)] = 5
    """Number of inner steps after which the slow weights move."""
    alpha: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Share of the way to the fast weights that the slow ones move; 1 is the inner dynamics."""

    gradients_per_move: ClassVar[int] = 2

    def init(self, match: Match, players: Players, optimizer: Optimizer) -> States:
        return super().init(match, players, optimizer) | {"slow": dict(players), "clock": clock(players)}

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        result = inner_step(self.inner, match, players, states, batches[0], optimizer, rates)
        steps = states["clock"]["steps"] + 1
        due = steps % self.sync_period == 0
        after, slow = {}, {}
        for name, theta in result.players.items():
            # Written so that an alpha of 1 changes nothing, to the last bit.
            back = theta - (1 - self.alpha) * (theta - states["slow"][name])
            after[name] = torch.where(due, match.project(name, back), theta)
            slow[name] = torch.where(due, after[name], states["slow"][name])
        return StepResult(after, result.states | {"slow": slow, "clock": {"steps": steps}}, result.aux)
