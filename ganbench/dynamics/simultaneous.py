"""Simultaneous descent: both players step from the same point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganbench.dynamics import Dynamics, Memories, Move, Update
from ganbench.dynamics._steps import simultaneous
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class Simultaneous(Dynamics):
    """theta <- theta - rate F(theta)."""

    evaluations: ClassVar[int] = 2

    def step(
        self, match: Match, players: Players, memories: Memories, batches: list[Batch], update: Update, rate: Tensor
    ) -> Move:
        return simultaneous(match, players, memories, batches[0], update, rate)
