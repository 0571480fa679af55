"""Diagnostics of trained runs, all members of a pack at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import values_fault
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.diagnostics import Diagnostic, Trajectories
from ganbench.engine.run_examples import Judging, TrainedExamples
from ganbench.games import Buffers, Game, Match, Member
from ganbench.numerics.trajectories import constant


def diagnose(
    diagnostic: Diagnostic,
    game: Game,
    dynamics: Any,
    optimizer: Any,
    members: Sequence[Member],
    snapshots: Sequence[Tree],
    steps: Sequence[int],
    *,
    device: torch.device,
    dtype: torch.dtype,
    schedule: Callable[[int], float] = constant,
    real: Examples | None = None,
    judging: Judging | None = None,
    ema_decay: float | None = None,
) -> list[Tree]:
    """The results of a diagnostic for some runs.

    Args:
        diagnostic: the diagnostic.
        game, dynamics, optimizer: the game of the runs and how they were trained.
        members: the K runs.
        snapshots: for each run, the `step` of its snapshots, (S,), both players' parameters,
            {player: (S, P)}, and the networks' `buffers`, {name: (S, ...)}, if there are any.
        steps: planned steps of the snapshots; a run that diverged or was stopped lacks the last of them. Others are
            left out.
        device: device to compute on.
        dtype: precision of the parameters.
        schedule: the factor of the learning rates in each training step.
        real: the data set as it is stored; None for a game without data.
        judging: what judges examples, see `Scorer.judged`; None for a diagnostic without a judge.
        ema_decay: decay of the moving average of the parameters; None for none.

    Returns:
        For every run, `values`, {column: number}, and `arrays`, {name: array}.

    Raises:
        GanbenchError: the results are not those that the diagnostic's columns describe.
    """
    how = {"device": device, "dtype": dtype, "schedule": schedule, "ema_decay": ema_decay}
    how |= {"real": real, "judging": judging}
    trajectories = trajectories_of(game, dynamics, optimizer, members, snapshots, steps, **how)
    result, columns = diagnostic.measure(trajectories), diagnostic.columns(game)
    trees = [
        {
            "values": {name: float(values[k]) for name, values in result.values.items()},
            "arrays": {name: np.asarray(values[k]) for name, values in result.arrays.items()},
        }
        for k in range(len(members))
    ]
    for tree in trees:
        if fault := values_fault(columns, tree["values"], absent=True):
            raise GanbenchError(f"diagnostic {inspect.getfile(type(diagnostic))}: its measure() {fault}.")
    return trees


def trajectories_of(
    game: Game,
    dynamics: Any,
    optimizer: Any,
    members: Sequence[Member],
    snapshots: Sequence[Tree],
    steps: Sequence[int],
    *,
    device: torch.device,
    dtype: torch.dtype,
    schedule: Callable[[int], float] = constant,
    real: Examples | None = None,
    judging: Judging | None = None,
    ema_decay: float | None = None,
) -> Trajectories:
    """The trajectories of some runs; arguments as of `diagnose`."""
    planned = np.array(steps)
    path = {player: _padded([(kept["step"], kept[player]) for kept in snapshots], planned) for player in game.players}
    buffers = {
        name: torch.from_numpy(
            np.stack([_repeated(each["step"], each["buffers"][name], planned) for each in snapshots])
        )
        for name in snapshots[0].get("buffers", {})
    }
    buffers = {name: value.to(device, dtype if value.is_floating_point() else None) for name, value in buffers.items()}
    match = Match(game, members, device, dtype)
    trajectories = Trajectories(
        match=match,
        dynamics=dynamics,
        optimizer=optimizer,
        rates=match.rates(),
        steps=planned,
        path={player: torch.from_numpy(values).to(device, dtype) for player, values in path.items()},
        buffers=buffers,
        schedule=schedule,
        ema_decay=ema_decay,
    )
    if real is None:
        return trajectories

    def buffers_at(snapshot: int) -> Buffers:
        return trajectories.match_at(snapshot).buffers

    samples = TrainedExamples(game, members, trajectories.path["generator"], buffers_at, real, judging)
    return replace(trajectories, samples=samples)


def _repeated(kept: np.ndarray, values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Buffers at all of the steps, (S, ...); the last ones that a run has, where it lacks later snapshots."""
    return values[np.searchsorted(kept, steps, side="right") - 1]


def _padded(kept: list[tuple[np.ndarray, np.ndarray]], steps: np.ndarray) -> np.ndarray:
    """Parameters at all of the steps, (K, S, P); NaN where a run has none."""
    table = np.full((len(kept), len(steps), kept[0][1].shape[1]), np.nan)
    for row, (mine, values) in zip(table, kept, strict=True):
        planned = np.isin(mine, steps)
        row[np.searchsorted(steps, mine[planned])] = values[planned]
    return table
