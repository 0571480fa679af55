"""Snapshots of runs, found in the results of a study."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ganbench.core import result_files
from ganbench.core.dotted_names import under
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.engine.modules import trained_module
from ganbench.games.gan import GAN
from ganbench.pipeline.execution.result_cache import group_of
from ganbench.pipeline.plan import Plan
from ganbench.study.runs import Run
from ganbench.study.schema import load


@dataclass(frozen=True)
class Snapshot:
    """Both networks of a run at a step.

    Attributes:
        plan: the plan of the run's study.
        run: the run.
        step: number of training steps done.
        averaged: whether the parameters are their moving average over training.
        players: the players' parameters, (P,) each.
        buffers: both networks' buffers, by player and name: `generator.1.running_mean`.
        metrics: the metrics at this step, by column, each None where it is not finite; None where the run is not
            evaluated.
    """

    plan: Plan
    run: Run
    step: int
    averaged: bool
    players: dict[str, np.ndarray]
    buffers: dict[str, np.ndarray]
    metrics: dict[str, float | None] | None

    @property
    def data(self) -> DataSpec:
        """The data set that the networks were built for."""
        return self.run.choice("dataset").build().spec

    def module(self, player: str) -> nn.Module:
        """A player's network, in single precision and in evaluation mode."""
        architecture, buffers = self.run.choice("architecture").build(), under(player, self.buffers)
        return trained_module(architecture, player, self.data, self.players[player], buffers)


def find(study: Path, run: str, step: int | None = None, averaged: bool = False, plan: Plan | None = None) -> Snapshot:
    """The snapshot of a run.

    Args:
        study: path of the study's file.
        run: the run's id, as in the tables.
        step: the snapshot; the last one by default.
        averaged: whether to take the moving average of the parameters (`ema_decay`) in their place.
        plan: the plan of the study, where that is made already.

    Raises:
        GanbenchError: an unknown run, or one without such a snapshot.
    """
    plan = plan or Plan(load(study))
    chosen = find_run(plan, run)
    if chosen.choice("architecture") is None:
        game, able = chosen.choice("game").signature, ", ".join(plan.grid.gans) or "none"
        raise GanbenchError(f"run {run} plays {game}, a game without networks. Methods with networks: {able}.")
    trained = _results(plan, "train", plan.digests.train[chosen.id])
    if trained is None:
        raise GanbenchError(
            f"run {run} is not trained, or was with another configuration or other sources than these; `ganbench train "
            f"{study} --only {run}` trains it."
        )
    with result_files.open_file(trained, "train") as file:
        group = group_of(file, plan.digests.train[chosen.id])
        ended, snapshots = _ended(group.scalars()), result_files.descend(group, "snapshots")
        steps = result_files.descend(snapshots, "step")[:].tolist()
        index = _index(chosen, step, steps, ended)
        if averaged and "average" not in group:
            raise GanbenchError(f"run {run} keeps no average of its parameters; `train: {{ema_decay: 0.999}}` does.")
        parameters = result_files.descend(group, "average") if averaged else snapshots
        players = {player: result_files.descend(parameters, player)[index] for player in GAN.players}
        kept = result_files.read_tree(result_files.descend(group, "buffers"))
    buffers = {name: values[index] for name, values in kept.items()}
    metrics = _metrics(plan, chosen, steps[index])
    return Snapshot(plan, chosen, steps[index], averaged, players, buffers, metrics)


def find_run(plan: Plan, name: str) -> Run:
    """The run of a study with an id.

    Raises:
        GanbenchError: an unknown run; the message names those with the nearest ids.
    """
    runs = {run.id: run for run in plan.grid.runs}
    if name not in runs:
        near = get_close_matches(name, runs, n=5, cutoff=0.4)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        table = plan.folder / "tables" / "runs.csv"
        listed = f"The column 'run' of {table} has all" if table.is_file() else "There are"
        raise GanbenchError(
            f"unknown run {name!r} of study {plan.study.study!r}.{hint} "
            f"{listed} {len(runs):,}; the first is {plan.grid.runs[0].id}."
        )
    return runs[name]


def _ended(trained: dict[str, Any]) -> str:
    """How a run ended before its last step, as the rest of a clause; empty if it did not."""
    if trained["diverged"]:
        step, cause = trained["diverged"]
        return f"diverged at step {step:,} ({cause})"
    if trained["stopped"]:
        step, outcome, *_ = trained["stopped"]
        return f"was stopped after step {step:,} ({outcome})"
    return ""


def _index(run: Run, step: int | None, steps: list[int], ended: str) -> int:
    """The index of a snapshot."""
    valid = f"Steps with a snapshot: {', '.join(map(str, steps))}."
    if step is None and ended:
        raise GanbenchError(f"run {run.id} {ended}, so that it has no last networks. Choose a step. {valid}")
    if step is not None and step not in steps:
        raise GanbenchError(f"run {run.id} has no snapshot of step {step}. {f'It {ended}. ' if ended else ''}{valid}")
    return len(steps) - 1 if step is None else steps.index(step)


def _metrics(plan: Plan, run: Run, step: int) -> dict[str, float | None] | None:
    """The metrics of a run at a step; None where it is not evaluated."""
    digest = plan.digests.evaluate[run.id]
    path = _results(plan, "evaluate", digest)
    if path is None:
        return None
    with result_files.open_file(path, "evaluate") as file:
        group = group_of(file, digest)
        index = result_files.descend(group, "step")[:].tolist().index(step)
        metrics = result_files.read_tree(result_files.descend(group, "metrics"))
    found = {name: float(values[index]) for name, values in metrics.items()}
    return {name: value if isfinite(value) else None for name, value in found.items()}


def _results(plan: Plan, stage: str, digest: str) -> Path | None:
    """The file of a stage that holds a run, whichever pack it was in; None if there is none."""
    return result_files.find_runs(plan.folder / stage, stage, [digest]).get(digest)
