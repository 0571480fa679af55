"""Steps that several dynamics share."""

from __future__ import annotations

from collections.abc import Iterable

import torch

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
from ganbench.games import Batch, LearningRates, Match, Players


def simultaneous(
    match: Match, players: Players, states: States, batch: Batch, optimizer: Optimizer, rates: LearningRates
) -> StepResult:
    """One move of both players from the same point, on the same batch; arguments as of `Dynamics.move`."""
    here = simultaneous_gradient(match, players, batch)
    return StepResult(*apply_gradients(match, players, states, here.gradients, optimizer, rates), record(here))


def in_turns(
    match: Match,
    players: Players,
    states: States,
    turns: Iterable[tuple[str, Batch]],
    optimizer: Optimizer,
    rates: LearningRates,
) -> StepResult:
    """Steps of one player at a time, each from the point that the previous step reached.

    Args:
        turns: (player, batch) of each step, in order.
        match, players, states, optimizer, rates: as of `Dynamics.move`.
    """
    aux = {}
    for player, batch in turns:
        loss, grad, extra = gradient(match, player, players, batch)
        moved, states = apply_gradients(match, players, states, {player: grad}, optimizer, rates)
        players = players | moved
        aux |= gradient_record(player, loss, grad) | extra
    return StepResult(players, states, aux)


def inner_step(
    kind: str, match: Match, players: Players, states: States, batch: Batch, optimizer: Optimizer, rates: LearningRates
) -> StepResult:
    """A step of the dynamics that others are built around. It costs two gradients and uses one batch.

    Args:
        kind: "simultaneous", or "alternating" with one step of each player, the first player's first.
        match, players, states, batch, optimizer, rates: as of `Dynamics.move`.
    """
    if kind == "simultaneous":
        return simultaneous(match, players, states, batch, optimizer, rates)
    return in_turns(match, players, states, [(player, batch) for player in match.players], optimizer, rates)


def copies(match: Match, batch: Batch, count: int) -> tuple[Match, Batch]:
    """The match and its batch with every member repeated `count` times in a row, so that losses at points (K, count,
    P), flattened to (K count, P), are computed together."""
    return match.repeated(count), {name: values.repeat_interleave(count, dim=0) for name, values in batch.items()}


def clock(players: Players) -> State:
    """The state of a step counter before the first step, (K, 1). A tensor, so that no step waits for a device."""
    theta = next(iter(players.values()))
    return {"steps": torch.zeros(theta.shape[0], 1, dtype=torch.int64, device=theta.device)}
