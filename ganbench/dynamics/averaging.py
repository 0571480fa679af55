"""Iterate averaging: the players move as ever, and the mean of where they have been is handed out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.dynamics import Dynamics, Memories, Move, Update
from ganbench.dynamics._steps import clock, inner_step
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class Averaging(Dynamics):
    """The iterates are those of the `inner` dynamics. A `uniform` mean is (theta_1 + ... + theta_t) / t, an
    `exponential` one mean <- decay mean + (1 - decay) theta, from theta_0 on (both as in Yazici et al. 2019). Before
    the first step both are the start.
    """

    inner: Literal["simultaneous", "alternating"] = "alternating"
    kind: Literal["uniform", "exponential"] = "uniform"
    decay: Annotated[float, Interval(ge=0, lt=1)] = 0.999

    evaluations: ClassVar[int] = 2

    def init(self, match: Match, players: Players, update: Update) -> Memories:
        return super().init(match, players, update) | {"average": dict(players), "clock": clock(players)}

    def step(
        self, match: Match, players: Players, memories: Memories, batches: list[Batch], update: Update, rate: Tensor
    ) -> Move:
        move = inner_step(self.inner, match, players, memories, batches[0], update, rate)
        steps = memories["clock"]["steps"] + 1
        share = 1 / steps.to(rate.dtype) if self.kind == "uniform" else 1 - self.decay
        average = {name: mean + share * (move.players[name] - mean) for name, mean in memories["average"].items()}
        return Move(move.players, move.memories | {"average": average, "clock": {"steps": steps}}, move.seen)

    def answer(self, players: Players, memories: Memories) -> Players:
        return memories["average"]
