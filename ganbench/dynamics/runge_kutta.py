"""The classical Runge-Kutta method of order 4 on the flow theta' = -F(theta): the path that small steps tend to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.dynamics import Dynamics, Memories, Move, Update, field, measures, moved
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class RungeKutta(Dynamics):
    """theta <- theta - rate (k_1 + 2 k_2 + 2 k_3 + k_4) / 6, with k_1 = F(theta), k_2 = F(theta - rate k_1 / 2), k_3 =
    F(theta - rate k_2 / 2), k_4 = F(theta - rate k_3), all on one batch. An eigenvalue lambda of J is multiplied into
    R(-rate lambda) a step, R(z) = 1 + z + z^2 / 2 + z^3 / 6 + z^4 / 24.
    """

    evaluations: ClassVar[int] = 8

    def init(self, match: Match, players: Players, update: Update) -> Memories:
        """No memories.

        Raises:
            GanbenchError: the base update keeps a memory, so it does not follow the flow.
        """
        memories = super().init(match, players, update)
        kept = sorted({name for memory in memories.values() for name in memory})
        if kept:
            name = type(update).__module__.split(".")[-1]
            raise GanbenchError(
                "runge_kutta takes its step itself and needs a base update that keeps no memory, but "
                f"{name!r} ({update!r}) keeps {', '.join(kept)}. Valid: 'sgd' without momentum and decay."
            )
        return memories

    def step(
        self, match: Match, players: Players, memories: Memories, batches: list[Batch], update: Update, rate: Tensor
    ) -> Move:
        stages = [field(match, players, batches[0])]
        for part in (1 / 2, 1 / 2, 1):
            ahead, _ = moved(match, players, memories, stages[-1].slopes, update, part * rate)
            stages.append(field(match, ahead, batches[0]))
        one, two, three, four = (stage.slopes for stage in stages)
        slopes = {name: (one[name] + 2 * two[name] + 2 * three[name] + four[name]) / 6 for name in one}
        return Move(*moved(match, players, memories, slopes, update, rate), measures(stages[0]))
