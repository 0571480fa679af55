"""Alternating descent: one player steps, then the other, from the new parameters of the first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.dynamics import Dynamics, Optimizer, States, StepResult
from ganbench.dynamics._steps import in_turns
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)
class Alternating(Dynamics):
    """The first player steps, then the second, which uses the new parameters of the first. With `sgd` of momentum -1/2
    this is negative momentum (Gidel et al. 2019b)."""

    generator_first: bool = False
    """Whether the generator is updated before the discriminator. With `discriminator_steps: k`, the first k - 1 updates
    of the discriminator come before both in either case."""

    gradients_per_move: ClassVar[int] = 2

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        order = reversed(match.players) if self.generator_first else match.players
        return in_turns(match, players, states, [(player, batches[0]) for player in order], optimizer, rates)
