"""Alternating descent: the discriminator moves first, and the generator answers to the moved discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ganbench.dynamics import Memories, Move, Update, measured
from ganbench.games import Game, Players, gradient


@dataclass(frozen=True)
class Dynamics:
    """`discriminator_steps` steps of the first player, each on a batch of its own, then one of the second."""

    discriminator_steps: int = 1

    @property
    def draws(self) -> int:
        return self.discriminator_steps

    def step(
        self, game: Game, players: Players, memories: Memories, batches: list[Any], update: Update, rate: Tensor
    ) -> Move:
        first, second = game.players
        players, memories, seen = dict(players), dict(memories), {}
        for player, batch in [(first, batch) for batch in batches] + [(second, batches[-1])]:
            loss, slope, noticed = gradient(game, player, players, batch)
            players[player], memories[player] = update.step(players[player], slope, memories[player], rate)
            seen |= measured(player, loss, slope, noticed)
        return Move(players, memories, seen)
