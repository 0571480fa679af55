"""Consensus optimisation (Mescheder, Nowozin and Geiger 2017, algorithm 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.dynamics import PRODUCT, Dynamics, Memories, Move, Update, field, measures, moved
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class Consensus(Dynamics):
    """theta <- theta - rate (F + gamma J^T F): both players also descend |F|^2 / 2, whose gradient is J^T F."""

    gamma: Annotated[float, Interval(ge=0)] = 10.0

    evaluations: ClassVar[int] = 2 + PRODUCT

    def step(
        self, match: Match, players: Players, memories: Memories, batches: list[Batch], update: Update, rate: Tensor
    ) -> Move:
        here = field(match, players, batches[0], differentiable=True)
        damping = here.products(here.slopes, transposed=True)
        slopes = {name: slope + self.gamma * damping[name] for name, slope in here.slopes.items()}
        return Move(*moved(match, players, memories, slopes, update, rate), measures(here))
