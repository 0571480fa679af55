"""The record of each run of a pack: what is kept of its steps until the pack is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ganbench.core.recorder import Recorder
from ganbench.core.tree import Tree
from ganbench.engine.snapshots import Reference, Snapshot, SnapshotStore


@dataclass
class RunRecord:
    """The record of one run.

    Attributes:
        recorder: its curves.
        snapshots: references to its snapshots, by step.
        diverged: the step and cause of a divergence; None without one.
    """

    recorder: Recorder
    snapshots: dict[int, Reference] = field(default_factory=dict)
    diverged: tuple[int, str] | None = None

    def tree(self, store: SnapshotStore) -> Tree:
        """The result of the run, with its snapshots as their store gives them."""
        return {
            "curves": self.recorder.curves(),
            **store.result(self.snapshots),
            "diverged": None if self.diverged is None else list(self.diverged),
            "steps_done": self.recorder.steps_done,
        }


def keep_snapshot(
    store: SnapshotStore, runs: Sequence[RunRecord], pack: Sequence[int], taken: Snapshot, step: int
) -> None:
    """Keep a snapshot of a pack, whose tensors are (K, ...), for its members that have not diverged."""
    rows = {k: row for row, k in enumerate(pack) if runs[k].diverged is None}
    for k, reference in store.add(step, rows, taken).items():
        runs[k].snapshots[step] = reference


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
