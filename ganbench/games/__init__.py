"""Games: two players' parameters and losses, for all members of a pack at once.

A game has

- `players`: their names, the discriminator (or ascending player) first;
- `init() -> Players`: every member's first parameters, {player: (K, P)};
- `draw(step, draws) -> list[Batch]`: the random numbers of a step (real examples, latent points, noise), as many
  batches as the dynamics asks for;
- `loss(player, players, batch) -> (loss, seen)`: every member's loss of one player, shape (K,), and what else
  was seen on the way, {name: (K,)};
- `select(members) -> Game`: the same game for some of its members.

Losses of different members never mix, so the gradient of their sum is every member's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

Players = dict[str, Tensor]
Seen = dict[str, Tensor]


class Game(Protocol):
    """See the module's text."""

    players: tuple[str, ...]

    def init(self) -> Players: ...

    def draw(self, step: int, draws: int) -> list[Any]: ...

    def loss(self, player: str, players: Players, batch: Any) -> tuple[Tensor, Seen]: ...

    def select(self, members: Sequence[int]) -> Game: ...


def gradient(game: Game, player: str, players: Players, batch: Any) -> tuple[Tensor, Tensor, Seen]:
    """A player's loss and its gradient in that player's own parameters.

    Returns:
        loss (K,), gradient (K, P), and what the game saw on the way.
    """
    theta = players[player].detach().requires_grad_()
    loss, seen = game.loss(player, {**players, player: theta}, batch)
    (slope,) = torch.autograd.grad(loss.sum(), theta)
    return loss.detach(), slope, seen
