"""What checkpoints cost: how long one takes, and the share of a pack's training that goes into them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from statistics import median
from unittest.mock import patch

from benchmarks.cases import CASES
from benchmarks.overhead import trained
from benchmarks.sheets import Sheet
from ganbench.engine.fusing import parameters
from ganbench.pipeline.execution.checkpoints import SPARING, CheckpointSchedule
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import ExecutionSettings
from ganbench.pipeline.stages import train as stage

OFTEN = 1.0  # seconds between checkpoints, at least, as measured: each case comes to a few
TARGET = 0.02

JOBS = (("mlp", 4, 3000), ("fc(512)", 4, 200))  # case, runs, steps: a small pack and a large one
QUICK = (("mlp", 2, 200),)


class Stopwatch(CheckpointSchedule):
    """Keeps the time of every checkpoint, from the copy of the state to the file's new name."""

    def __init__(self, least: float) -> None:
        super().__init__(least)
        self.times: list[float] = []

    @contextmanager
    def saving(self) -> Iterator[None]:
        began = time.perf_counter()
        with super().saving():
            yield
        self.times.append(time.perf_counter() - began)


def measure(jobs: Sequence[tuple[str, int, int]], device: str, *, often: float = OFTEN) -> Sheet:
    """Train packs of (case, runs, steps), with checkpoints as often as they may be when asked for every so often."""
    usual = ExecutionSettings().checkpoint_seconds
    sheet = Sheet(
        "Cost of checkpoints",
        ["case", "runs", "parameters", "steps", "whole, s", "checkpoints", "one, s", "share", f"share at {usual:g} s"],
        f"Whole is the stage, start included. Checkpoints lie {often:g} s apart here, or {SPARING} times what the last "
        f"cost if that is more; the last column is for the usual {usual:g} s. Target: below {TARGET:.0%}.",
    )
    for name, members, steps in jobs:
        case, watches = CASES[name], []

        def watch(least: float, watches: list[Stopwatch] = watches) -> Stopwatch:
            watches.append(Stopwatch(least))
            return watches[-1]

        with trained(case, members, case.training(steps)) as job, patch.object(stage, "CheckpointSchedule", watch):
            began = time.perf_counter()
            with redirect_stderr(StringIO()):
                stage.run(job, JobContext(ExecutionSettings(device=device, checkpoint_seconds=often)))
            whole = time.perf_counter() - began
        times = watches[0].times
        one = median(times) if times else float("nan")
        share, usually = sum(times) / whole, one / (one + max(usual, SPARING * one))
        cells = [f"{whole:.1f}", len(times), f"{one:.3f}", f"{share:.2%}", f"{usually:.2%}"]
        sheet.add(name, members, f"{members * parameters(case.game()):,}", steps, *cells)
    return sheet
