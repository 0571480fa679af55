"""Dynamics, one file each: how the two players move in one training step.

A member defines a frozen dataclass `Dynamics` with

- `draws`: how many batches one step uses;
- `step(game, players, memories, batches, update, rate) -> Move`: the players after the step.

`memories` is {player: Memory of the base update}; `rate` has shape (K, 1). Whatever the game, the code is the same: a
game of two numbers and a pair of convolutional networks are both vectors of parameters and a loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ganbench.games import Game, Players
from ganbench.updates import Memory

Memories = dict[str, Memory]


@dataclass(frozen=True)
class Move:
    """Where a step led, and what was measured on the way: {quantity: (K,)}."""

    players: Players
    memories: Memories
    seen: dict[str, Tensor]


class Update(Protocol):
    """What dynamics need of a base update; see `ganbench.updates`."""

    def init(self, theta: Tensor) -> Memory: ...

    def step(self, theta: Tensor, gradient: Tensor, memory: Memory, rate: Tensor) -> tuple[Tensor, Memory]: ...


class Dynamics(Protocol):
    """See the module's text."""

    draws: int

    def step(
        self, game: Game, players: Players, memories: Memories, batches: list[Any], update: Update, rate: Tensor
    ) -> Move: ...


def measured(player: str, loss: Tensor, slope: Tensor, seen: dict[str, Tensor]) -> dict[str, Tensor]:
    """What every dynamics reports of a gradient it took, under the names the recorder keeps."""
    return {f"{player}_loss": loss, f"{player}_gradient_norm": slope.norm(dim=1), **seen}
