"""Simultaneous descent: both players step from the same point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from ganbench.dynamics import Memories, Move, Update, measured
from ganbench.games import Game, Players, gradient


@dataclass(frozen=True)
class Dynamics:
    """theta <- theta - rate F(theta), with F the players' gradients of their own losses, stacked."""

    draws: ClassVar[int] = 1

    def step(
        self, game: Game, players: Players, memories: Memories, batches: list[Any], update: Update, rate: Tensor
    ) -> Move:
        moved, remembered, seen = {}, {}, {}
        for player in game.players:
            loss, slope, noticed = gradient(game, player, players, batches[0])
            moved[player], remembered[player] = update.step(players[player], slope, memories[player], rate)
            seen |= measured(player, loss, slope, noticed)
        return Move(moved, remembered, seen)
