"""Extragradient (Korpelevich 1976): step with the field of where a trial step leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.dynamics import Dynamics, Memories, Move, Update, field, measures, moved
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class Extragradient(Dynamics):
    """theta' = theta - extrapolation rate F(theta); theta <- theta - rate F(theta'), both by the base update. Zero
    extrapolation is simultaneous descent.

    The trial step leaves no memory: the base update sees one gradient a step. In the ExtraAdam of Gidel et al. (2019,
    algorithm 4) the moments also take in the trial step's gradient; without memory the two are the same.
    """

    extrapolation: Annotated[float, Interval(ge=0)] = 1.0

    draws: ClassVar[int] = 2
    evaluations: ClassVar[int] = 4

    def step(
        self, match: Match, players: Players, memories: Memories, batches: list[Batch], update: Update, rate: Tensor
    ) -> Move:
        here = field(match, players, batches[0])
        ahead, _ = moved(match, players, memories, here.slopes, update, rate * self.extrapolation)
        there = field(match, ahead, batches[1])
        return Move(*moved(match, players, memories, there.slopes, update, rate), measures(here))
