"""Steps that several dynamics are made of."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ganbench.dynamics import (
    Optimizer,
    State,
    States,
    StepResult,
    apply_gradients,
    gradient,
    gradient_record,
    record,
    simultaneous_gradient,
)
from ganbench.games import Batch, Match, Players


def simultaneous(
    match: Match, players: Players, states: States, batch: Batch, optimizer: Optimizer, rate: Tensor
) -> StepResult:
    """Both players step from the same point, on the same batch."""
    here = simultaneous_gradient(match, players, batch)
    return StepResult(*apply_gradients(match, players, states, here.gradients, optimizer, rate), record(here))


def in_turns(
    match: Match,
    players: Players,
    states: States,
    turns: Iterable[tuple[str, Batch]],
    optimizer: Optimizer,
    rate: Tensor,
) -> StepResult:
    """One player after the other, as the turns say, each on the turn's batch and from where the last one led."""
    players, states, aux = dict(players), dict(states), {}
    for player, batch in turns:
        loss, grad, extra = gradient(match, player, players, batch)
        theta, states[player] = optimizer.step(players[player], grad, states[player], rate)
        players[player] = match.project(player, theta)
        aux |= gradient_record(player, loss, grad) | extra
    return StepResult(players, states, aux)


def inner_step(
    kind: str, match: Match, players: Players, states: States, batch: Batch, optimizer: Optimizer, rate: Tensor
) -> StepResult:
    """A step of the dynamics that another one is built around: `simultaneous`, or `alternating` with one move each,
    the first player's first. Either costs two gradients and one batch."""
    if kind == "simultaneous":
        return simultaneous(match, players, states, batch, optimizer, rate)
    return in_turns(match, players, states, [(player, batch) for player in match.players], optimizer, rate)


def copies(match: Match, batch: Batch, count: int) -> tuple[Match, Batch]:
    """The match and its batch with every member there `count` times in a row: points (K, count, P), flattened to
    (K count, P), are then looked at in one go."""
    places = [place for place in range(len(match.members)) for _ in range(count)]
    return match.select(places), {name: values.repeat_interleave(count, dim=0) for name, values in batch.items()}


def clock(players: Players) -> State:
    """A memory that counts steps, (K, 1), before the first. Counters are tensors: no step waits for a look at them."""
    theta = next(iter(players.values()))
    return {"steps": torch.zeros(theta.shape[0], 1, dtype=torch.int64, device=theta.device)}
