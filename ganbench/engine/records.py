"""The record of each run of a pack: what is kept of its steps until the pack is done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ganbench.core.recorder import Recorder
from ganbench.core.tree import Tree
from ganbench.engine.snapshots import Reference, Snapshot, SnapshotStore

Reason = tuple[str | int | float, ...]  # why a run was stopped, as values that a file can hold


class EarlyStop(Protocol):
    """Decides which runs end before their last step, each by its curves alone: so a run is stopped at the same step in
    whatever pack it is, and whether or not training was interrupted.

    Attributes:
        checks: the steps after which it is asked, multiples of `CHUNK`.
    """

    checks: Collection[int]

    def __call__(self, curves: Tree, /) -> Reason | None:
        """Decide on one run.

        Args:
            curves: its curves so far, as a `Recorder` gives them.

        Returns:
            The reason to stop it; None if it goes on.
        """


@dataclass
class RunRecord:
    """The record of one run.

    Attributes:
        recorder: its curves.
        snapshots: references to its snapshots, by step.
        diverged: the step and cause of a divergence; None without one.
        stopped: the step after which the run was stopped early, and the reason; None for a run that was not.
    """

    recorder: Recorder
    snapshots: dict[int, Reference] = field(default_factory=dict)
    diverged: tuple[int, str] | None = None
    stopped: tuple[int, *Reason] | None = None

    @property
    def alive(self) -> bool:
        """Whether the run goes on: it has neither diverged nor been stopped."""
        return self.diverged is None and self.stopped is None

    def tree(self, store: SnapshotStore) -> Tree:
        """The result of the run, with its snapshots as their store gives them."""
        return {
            "curves": self.recorder.curves(),
            **store.result(self.snapshots),
            **self.ending(),
            "steps_done": self.recorder.steps_done,
        }

    def ending(self) -> Tree:
        """What ended the run before its last step, `diverged` and `stopped`, as arrays and plain values."""
        told = {"diverged": self.diverged, "stopped": self.stopped}
        return {name: None if value is None else list(value) for name, value in told.items()}


def keep_snapshot(
    store: SnapshotStore, runs: Sequence[RunRecord], rows: Mapping[int, int], taken: Snapshot, step: int
) -> None:
    """Keep a snapshot of a pack, whose tensors are (K, ...), for some of its members, given with their rows."""
    for k, reference in store.add(step, rows, taken).items():
        runs[k].snapshots[step] = reference


def stop_runs(
    stop: EarlyStop,
    store: SnapshotStore,
    runs: Sequence[RunRecord],
    rows: Mapping[int, int],
    take: Callable[[], Snapshot],
    step: int,
) -> None:
    """Stop members of a pack, given with their rows, and keep the last state of each as a snapshot."""
    reasons = {k: reason for k in rows if (reason := stop(runs[k].recorder.curves())) is not None}
    if lacking := {k: rows[k] for k in reasons if step not in runs[k].snapshots}:
        keep_snapshot(store, runs, lacking, take(), step)
    for k, reason in reasons.items():
        runs[k].stopped = (step, *reason)


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
