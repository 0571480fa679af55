"""Extrapolation from the past (Popov 1980; Gidel et al. 2019): extragradient at the price of one field a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganbench.dynamics import Dynamics, Memories, Move, Update, field, measures, moved
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class PastExtrapolation(Dynamics):
    """theta' = theta - rate F(last theta'); theta <- theta - rate F(theta'), both by the base update, the trial step
    leaving no memory.

    Before the first step the past field is 0. With plain gradient steps the trial points theta' are then, step for
    step, the iterates of optimistic descent: both have mu^2 - (1 - 2 rate lambda) mu - rate lambda = 0 for eigenvalues
    lambda of J. Losses and gradients are recorded at theta', the only point that is looked at.
    """

    evaluations: ClassVar[int] = 2

    def init(self, match: Match, players: Players, update: Update) -> Memories:
        past = {name: torch.zeros_like(theta) for name, theta in players.items()}
        return super().init(match, players, update) | {"past": past}

    def step(
        self, match: Match, players: Players, memories: Memories, batches: list[Batch], update: Update, rate: Tensor
    ) -> Move:
        ahead, _ = moved(match, players, memories, memories["past"], update, rate)
        there = field(match, ahead, batches[0])
        after, remembered = moved(match, players, memories, there.slopes, update, rate)
        return Move(after, remembered | {"past": there.slopes}, measures(there))
