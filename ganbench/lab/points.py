"""Points of a game: parameters in their order or by name, and the players at these points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.formatting import plural
from ganbench.games import Game, Match, Players
from ganbench.lab.arguments import real_array

NAMES_SHOWN = 12  # parameter names that an error lists


def parse_points(game: Game, given: Any, what: str = "start") -> np.ndarray:
    """Points of a game as (count, P) float64.

    Args:
        given: P numbers, or rows of them; or {parameter: number, or numbers}.

    Raises:
        GanbenchError: a point does not have P finite numbers, or a name is not one of the game's parameters.
    """
    names = game.parameter_names
    if isinstance(given, Mapping):
        given = _columns(names, given, what)
    values = real_array(given, f"{what} must be {_listed(names)}, or rows of these")
    values = np.atleast_2d(values)
    if values.ndim != 2 or not len(values) or values.shape[1] != len(names):
        received = values.shape[1] if values.ndim == 2 else f"the shape {values.shape}"
        raise GanbenchError(f"{what} must have {plural(len(names), 'value')} ({_listed(names)}), but has {received}.")
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise GanbenchError(f"{what} must be finite, but has {names[column]} = {values[row, column]}.")
    return values


def points_to_players(match: Match, values: np.ndarray) -> Players:
    """Points (K, P) as players."""
    game = match.game
    theta = torch.tensor(values, dtype=match.dtype, device=match.device)
    sizes = [game.sizes[player] for player in game.players]
    return {name: part.clone() for name, part in zip(game.players, theta.split(sizes, dim=1), strict=True)}


def initial_players(match: Match) -> Players:
    """Every member's start by the game's own rules; members of one seed share one draw."""
    distinct = {member: index for index, member in enumerate(dict.fromkeys(match.members))}
    drawn = Match(match.game, list(distinct), match.device, match.dtype).init()
    which = [distinct[member] for member in match.members]
    return {player: theta[which] for player, theta in drawn.items()}


def players_at(match: Match, given: Any | None, what: str = "start") -> Players:
    """Players at the points given, one for all members or one for each; without any, at the members' own starts.

    Raises:
        GanbenchError: they are not points of the game, or their number differs from that of the members.
    """
    if given is None:
        return initial_players(match)
    values = parse_points(match.game, given, what)
    count = len(match.members)
    if len(values) not in (1, count):
        raise GanbenchError(
            f"{what} has {plural(len(values), 'point')}, but the game has {plural(count, 'member')}; give one, or "
            f"{count}."
        )
    return points_to_players(match, np.broadcast_to(values, (count, values.shape[1])))


def _columns(names: tuple[str, ...], given: Mapping[str, Any], what: str) -> np.ndarray:
    for name in given:
        if name not in names:
            raise GanbenchError(f"{what}: " + unknown("parameter", name, names[:NAMES_SHOWN]))
    missing = [name for name in names if name not in given]
    if missing:
        raise GanbenchError(f"{what}: {_listed(tuple(missing))} is missing; every parameter needs a value.")
    try:
        return np.stack(np.broadcast_arrays(*(np.asarray(given[name]) for name in names)), axis=-1)
    except ValueError:
        raise GanbenchError(
            f"{what}: parameters must have one value each, or as many as one another, but is {dict(given)!r}."
        ) from None


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) + (
        f" ... {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    )
