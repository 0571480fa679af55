"""The record of each run of a pack: what is kept of its steps until the pack is done."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from ganbench.core.recorder import Recorder
from ganbench.core.tree import Tree
from ganbench.games import Match, Players


@dataclass
class RunRecord:
    """The record of one member: its curves, its snapshots, and the step and cause of a divergence."""

    recorder: Recorder
    snapshots: dict[int, dict[str, dict[str, np.ndarray]]] = field(default_factory=dict)  # by step, of `snapshot`
    diverged: tuple[int, str] | None = None

    def tree(self) -> Tree:
        steps = sorted(self.snapshots)
        kept = {
            kind: {name: np.stack([self.snapshots[step][kind][name] for step in steps]) for name in tensors}
            for kind, tensors in self.snapshots[steps[0]].items()
        }
        return {
            "curves": self.recorder.curves(),
            "snapshots": {"step": np.array(steps), **kept.pop("players")},
            **kept,
            "diverged": None if self.diverged is None else list(self.diverged),
            "steps_done": self.recorder.steps_done,
        }


def snapshot(players: Players, average: Players, match: Match) -> dict[str, dict[str, Tensor]]:
    """What a snapshot keeps: parameters, buffers, and the moving average of the parameters if there is one."""
    return {"players": players, "buffers": match.buffers} | ({"average": average} if average else {})


def keep_snapshot(runs: list[RunRecord], alive: list[int], snapshot: dict[str, dict[str, Tensor]], step: int) -> None:
    """Keep a snapshot, whose tensors are (K, ...), in the records of its members."""
    arrays = {
        kind: {name: value.detach().cpu().numpy() for name, value in kept.items()} for kind, kept in snapshot.items()
    }
    for index, k in enumerate(alive):
        # An array too where a member has one number, such as a count of batches.
        runs[k].snapshots[step] = {
            kind: {name: np.array(value[index]) for name, value in kept.items()} for kind, kept in arrays.items()
        }


def record_steps(run: RunRecord, values: np.ndarray) -> None:
    """Record a chunk of one member's steps, (steps, series), up to and with the step at which it diverged."""
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad.any(axis=1)))
        step = run.recorder.steps_done + row + 1
        name = run.recorder.series[int(np.argmax(bad[row]))]
        run.diverged = (step, f"{name} became {values[row][bad[row]][0]}")
        values = values[: row + 1]
        run.snapshots = {at: kept for at, kept in run.snapshots.items() if at < step}
    run.recorder.add(values)
