"""Instruments on runs: what training left of them, put before an instrument, all members of a pack at once."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import values_fault
from ganbench.core.tree import Tree
from ganbench.diagnostics import Diagnostic, Trajectories
from ganbench.games import Game, Match, Member


def diagnose(
    instrument: Diagnostic,
    game: Game,
    dynamics: Any,
    optimizer: Any,
    members: Sequence[Member],
    snapshots: Sequence[Tree],
    steps: Sequence[int],
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> list[Tree]:
    """What an instrument shows of some runs.

    Args:
        instrument: what looks.
        game, dynamics, optimizer: what the runs played, and how.
        members, snapshots: the runs, and of each its `step` (S,) and its players' parameters {player: (S, P)}.
        steps: of the snapshots that training was to keep; a run that diverged lacks the last of them.

    Returns:
        for every run `values` {column: number} and `arrays` {name: array}.

    Raises:
        GanbenchError: the instrument does not show its columns.
    """
    shown = trajectories(game, dynamics, optimizer, members, snapshots, steps, device=device, dtype=dtype)
    reading, columns = instrument.measure(shown), instrument.columns(game)
    trees = [
        {
            "values": {name: float(values[k]) for name, values in reading.values.items()},
            "arrays": {name: np.asarray(values[k]) for name, values in reading.arrays.items()},
        }
        for k in range(len(members))
    ]
    for tree in trees:
        if fault := values_fault(columns, tree["values"], absent=True):
            raise GanbenchError(f"diagnostic {inspect.getfile(type(instrument))}: its measure() {fault}.")
    return trees


def trajectories(
    game: Game,
    dynamics: Any,
    optimizer: Any,
    members: Sequence[Member],
    snapshots: Sequence[Tree],
    steps: Sequence[int],
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> Trajectories:
    """Runs as an instrument is shown them; arguments as of `diagnose`."""
    planned = np.array(steps)
    path = {player: _padded([(kept["step"], kept[player]) for kept in snapshots], planned) for player in game.players}
    return Trajectories(
        match=Match(game, members, device, dtype),
        dynamics=dynamics,
        optimizer=optimizer,
        rate=torch.tensor([[member.learning_rate] for member in members], dtype=dtype, device=device),
        steps=planned,
        path={player: torch.from_numpy(values).to(device, dtype) for player, values in path.items()},
    )


def _padded(kept: list[tuple[np.ndarray, np.ndarray]], steps: np.ndarray) -> np.ndarray:
    """Parameters at all of the steps, (K, S, P); NaN where a run has none."""
    table = np.full((len(kept), len(steps), kept[0][1].shape[1]), np.nan)
    for row, (mine, values) in zip(table, kept, strict=True):
        row[np.searchsorted(steps, mine)] = values
    return table
