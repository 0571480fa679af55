"""Steps that several dynamics are made of."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ganbench.dynamics import Memories, Memory, Move, Update, field, gradient, measured, measures, moved
from ganbench.games import Batch, Match, Players


def simultaneous(
    match: Match, players: Players, memories: Memories, batch: Batch, update: Update, rate: Tensor
) -> Move:
    """Both players step from the same point, on the same batch."""
    here = field(match, players, batch)
    return Move(*moved(match, players, memories, here.slopes, update, rate), measures(here))


def in_turns(
    match: Match,
    players: Players,
    memories: Memories,
    turns: Iterable[tuple[str, Batch]],
    update: Update,
    rate: Tensor,
) -> Move:
    """One player after the other, as the turns say, each on the turn's batch and from where the last one led."""
    players, memories, seen = dict(players), dict(memories), {}
    for player, batch in turns:
        loss, slope, noticed = gradient(match, player, players, batch)
        theta, memories[player] = update.step(players[player], slope, memories[player], rate)
        players[player] = match.project(player, theta)
        seen |= measured(player, loss, slope) | noticed
    return Move(players, memories, seen)


def inner_step(
    kind: str, match: Match, players: Players, memories: Memories, batch: Batch, update: Update, rate: Tensor
) -> Move:
    """A step of the dynamics that another one is built around: `simultaneous`, or `alternating` with one move each,
    the first player's first. Either costs two gradients and one batch."""
    if kind == "simultaneous":
        return simultaneous(match, players, memories, batch, update, rate)
    return in_turns(match, players, memories, [(player, batch) for player in match.players], update, rate)


def copies(match: Match, batch: Batch, count: int) -> tuple[Match, Batch]:
    """The match and its batch with every member there `count` times in a row: points (K, count, P), flattened to
    (K count, P), are then looked at in one go."""
    places = [place for place in range(len(match.members)) for _ in range(count)]
    return match.select(places), {name: values.repeat_interleave(count, dim=0) for name, values in batch.items()}


def clock(players: Players) -> Memory:
    """A memory that counts steps, (K, 1), before the first. Counters are tensors: no step waits for a look at them."""
    theta = next(iter(players.values()))
    return {"steps": torch.zeros(theta.shape[0], 1, dtype=torch.int64, device=theta.device)}
