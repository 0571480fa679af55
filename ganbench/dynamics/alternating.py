"""Alternating descent: one player steps, then the other, from the new parameters of the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.dynamics import Dynamics, Optimizer, States, StepResult
from ganbench.dynamics._steps import in_turns
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class Alternating(Dynamics):
    """`discriminator_steps` steps of the first player, each on a batch of its own, then one of the second; with
    `generator_first`, the second player steps before them. With `sgd` of momentum -1/2 this is negative momentum
    (Gidel et al. 2019b).
    """

    discriminator_steps: Annotated[int, Interval(ge=1, le=1000)] = 1
    generator_first: bool = False

    @property
    def batches_per_step(self) -> int:
        return self.discriminator_steps

    @property
    def gradients_per_step(self) -> int:
        return self.discriminator_steps + 1

    def step(
        self, match: Match, players: Players, states: States, batches: list[Batch], optimizer: Optimizer, rate: Tensor
    ) -> StepResult:
        first, second = match.players
        turns = [(first, batch) for batch in batches]
        turns.insert(0 if self.generator_first else len(turns), (second, batches[-1]))
        return in_turns(match, players, states, turns, optimizer, rate)
