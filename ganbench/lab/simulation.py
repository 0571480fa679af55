"""Simulation of a game: the trajectories of all members at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ganbench.core.errors import GanbenchError
from ganbench.dynamics import Dynamics
from ganbench.games import CHUNK, LearningRates, Match, Players
from ganbench.lab.arguments import numbers
from ganbench.lab.component_specs import ComponentSpec, build_with_member_options, with_member_options
from ganbench.lab.games import game as make_game
from ganbench.lab.points import parse_points, players_at
from ganbench.lab.trajectory import Trajectory

MAX_VALUES = 2**30  # numbers that a trajectory may have: 8 GB


def play(
    game: ComponentSpec | Match,
    dynamics: ComponentSpec | Dynamics = "simultaneous",
    *,
    optimizer: ComponentSpec | Any = "sgd",
    learning_rate: float | Sequence[float] | np.ndarray = 0.1,
    generator_learning_rate: float | Sequence[float] | np.ndarray | None = None,
    steps: int = 100,
    start: Any = None,
    seeds: int | Sequence[int] | None = None,
    keep: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Trajectory:
    """Play a game, all members at once.

    There are as many members as there are seeds, starts, learning rates, and values of an option; each of these is one
    for all members, or one for each.

    Args:
        game: its name, signature or mapping, or what `lab.game` made.
        dynamics: its name, signature, mapping or object. Real-valued options may be lists, with a value for each
            member: `{"name": "consensus", "gamma": [0.1, 1.0]}`.
        optimizer: the optimizer, in the same way.
        learning_rate: learning rate of the first player, and of the second unless that has its own; positive.
        generator_learning_rate: learning rate of the second player.
        steps: number of steps.
        start: the parameters (P,) or (members, P), or by name: `{"x": 2.0, "y": [0.5, 1.0]}`; the game's own starts,
            drawn from the seeds, by default.
        seeds: the number of seeds, which start at 0, or a list of them, for a game given by name; 1 by default.
        keep: number of steps from one kept snapshot to the next; the first and the last step are always kept.
        progress: called every few steps with the number of steps taken.

    Raises:
        GanbenchError: an unknown name or option, a value out of its range, or counts that do not agree.
    """
    match = _match(game, seeds)
    dynamics, dynamics_options = build_with_member_options("dynamics", dynamics, ("init", "step", "snapshot"))
    optimizer, optimizer_options = build_with_member_options("optimizer", optimizer, ("init", "step"))
    first = _rates("learning_rate", learning_rate)
    second = first if generator_learning_rate is None else _rates("generator_learning_rate", generator_learning_rate)
    points = None if start is None else parse_points(match.game, start)
    _whole("steps", steps, 0)
    _whole("keep", keep, 1)

    count = _members(
        {
            "seeds": len(match.members),
            "starts": 1 if points is None else len(points),
            "learning rates": len(first),
            "learning rates of the second player": len(second),
            **{f"values of the dynamics' {name}": len(values) for name, values in dynamics_options.items()},
            **{f"values of the optimizer's {name}": len(values) for name, values in optimizer_options.items()},
        }
    )
    names = match.game.parameter_names
    snapshots = -(-steps // keep) + 1
    if count * snapshots * len(names) > MAX_VALUES:
        raise GanbenchError(
            f"{count:,} members x {snapshots:,} snapshots x {len(names):,} parameters are more numbers than the "
            f"{MAX_VALUES:,} that are kept; keep fewer snapshots (keep={keep}) or play fewer members at a time."
        )
    kept_steps = np.append(np.arange(0, steps, keep), steps)
    match = match.select([0] * count) if len(match.members) == 1 else match
    dynamics = with_member_options(dynamics, dynamics_options, count, match)
    optimizer = with_member_options(optimizer, optimizer_options, count, match)
    first, second = (np.broadcast_to(rates, count).copy() for rates in (first, second))
    rates = {
        player: torch.as_tensor(values, dtype=match.dtype, device=match.device)[:, None]
        for player, values in zip(match.players, (first, second), strict=True)
    }
    players = players_at(match, points)
    trajectory, losses = _simulate(match, dynamics, optimizer, players, rates, kept_steps, progress)
    seeds_of = np.array([member.seed for member in match.members])
    return Trajectory(
        trajectory,
        losses,
        kept_steps,
        names,
        first,
        second,
        seeds_of,
        dynamics.gradients_per_step,
        match,
        dynamics,
        optimizer,
    )


def _simulate(
    match: Match,
    dynamics: Any,
    optimizer: Any,
    players: Players,
    rates: LearningRates,
    kept_steps: np.ndarray,
    progress: Callable[[int], None] | None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The steps of training; parameters and losses before the steps `kept_steps`."""
    size = sum(match.sizes.values())
    trajectory = np.empty((len(match.members), len(kept_steps), size))
    losses = {player: np.empty(trajectory.shape[:2]) for player in match.players}
    match = match.select(range(len(match.members)))  # whose buffers change with the steps
    states = dynamics.init(match, players, optimizer)
    last, index = int(kept_steps[-1]), 0
    for step in range(last + 1):
        batches = match.draw(step, dynamics.batches_per_step)
        if step == kept_steps[index]:
            here = {player: theta.detach() for player, theta in dynamics.snapshot(players, states).items()}
            trajectory[:, index] = torch.cat([here[player] for player in match.players], dim=1).cpu().numpy()
            for player, values in losses.items():
                values[:, index] = match.loss(player, here, batches[0])[0].detach().cpu().numpy()
            index += 1
        if step < last:
            with match.in_training(step) as training:
                move = dynamics.step(training, players, states, batches, optimizer, rates)
            players, states = move.players, move.states
        if progress is not None and (step % CHUNK == 0 or step == last):
            progress(step)
    return trajectory, losses


def _match(game: ComponentSpec | Match, seeds: Any) -> Match:
    if not isinstance(game, Match):
        return make_game(game, seeds=1 if seeds is None else seeds)
    if seeds is not None:
        raise GanbenchError(f"seeds: this game has its own; make it with lab.game(..., seeds={seeds!r}).")
    return game


def _rates(what: str, given: float | Sequence[float] | np.ndarray) -> np.ndarray:
    """Learning rates, one or one for each member.

    Raises:
        GanbenchError: a rate is no positive number.
    """
    rates = numbers(what, given)
    if (rates <= 0).any():
        raise GanbenchError(f"{what} must be positive, but is {rates[rates <= 0][0]:g}.")
    return rates


def _members(counts: dict[str, int]) -> int:
    """The number of members.

    Raises:
        GanbenchError: several arguments have different numbers of values.
    """
    many = {what: count for what, count in counts.items() if count > 1}
    if len(set(many.values())) > 1:
        received = ", ".join(f"{count} {what}" for what, count in many.items())
        raise GanbenchError(f"members do not agree: {received}; give one for all of them, or as many of each.")
    return max(counts.values())


def _whole(what: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise GanbenchError(f"{what} must be a whole number of at least {least}, but is {value!r}.")
