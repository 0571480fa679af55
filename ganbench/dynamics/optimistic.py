"""Optimistic descent (Daskalakis et al. 2018): twice the present field less the past one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ganbench.dynamics import Dynamics, Memories, Move, Update, field, measures, moved
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class Optimistic(Dynamics):
    """theta <- theta - rate (2 F_t - F_(t-1)), with F_(-1) = 0.

    `optimism` says where the past comes in. In the `gradient`, the base update is given 2 F_t - F_(t-1). In the `step`,
    theta <- theta + 2 s_t - s_(t-1), with s_t the step that the base update would take along F_t: with Adam that is
    Optimistic Adam (Daskalakis et al. 2018, algorithm 1). With plain gradient steps they are the same.
    """

    optimism: Literal["gradient", "step"] = "gradient"

    evaluations: ClassVar[int] = 2

    def init(self, match: Match, players: Players, update: Update) -> Memories:
        past = {name: torch.zeros_like(theta) for name, theta in players.items()}
        return super().init(match, players, update) | {"past": past}

    def step(
        self, match: Match, players: Players, memories: Memories, batches: list[Batch], update: Update, rate: Tensor
    ) -> Move:
        here, past = field(match, players, batches[0]), memories["past"]
        if self.optimism == "gradient":
            slopes = {name: 2 * slope - past[name] for name, slope in here.slopes.items()}
            after, remembered = moved(match, players, memories, slopes, update, rate)
            return Move(after, remembered | {"past": here.slopes}, measures(here))
        after, remembered, steps = {}, dict(memories), {}
        for name, slope in here.slopes.items():
            ahead, remembered[name] = update.step(players[name], slope, memories[name], rate)
            steps[name] = ahead - players[name]
            after[name] = match.project(name, ahead + (steps[name] - past[name]))
        return Move(after, remembered | {"past": steps}, measures(here))
