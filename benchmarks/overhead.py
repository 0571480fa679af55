"""Where the time of a training job goes: its steps, and everything around them.

The job runs in a process of its own, through the stage that the workflow calls, with a stopwatch around the parts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.cases import CASES, Case, build
from benchmarks.sheets import Sheet
from benchmarks.workers import ROOT
from ganbench.core import registry, result_files
from ganbench.core.source_digests import engine_digest
from ganbench.engine import train as engine
from ganbench.engine.step import Executor
from ganbench.engine.train import Training
from ganbench.games import Match
from ganbench.pipeline.execution import pack_trainer, result_cache
from ganbench.pipeline.execution.checkpoints import Checkpoint
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import ExecutionSettings, Job
from ganbench.pipeline.stages import train as stage
from ganbench.pipeline.tasks import ComponentConfig, FusableGroup, PackMember, TrainTask

PARTS = ("steps", "start and end", "random numbers", "recording", "snapshots", "checkpoints", "writing")


def measure(jobs: Sequence[tuple[str, int, int]], device: str) -> Sheet:
    """Run jobs of (case, runs, steps) and share out their time."""
    sheet = Sheet(
        "Where a training job's time goes",
        ["case", "runs", "steps", "whole, s", *PARTS, "outside steps"],
        "Seconds of one process, from its start to its end, fused. Recording is norms, curves and the search for "
        "divergence; the last column is the share of everything but the steps.",
    )
    for case, members, steps in jobs:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.overhead", case, str(members), str(steps), device, str(time.time())],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        whole = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"the job failed:\n{done.stderr[-2000:]}")
        seconds = json.loads(done.stdout.splitlines()[-1])
        seconds["start and end"] += whole - sum(seconds.values())  # until the interpreter is gone
        cells = [f"{seconds[part]:.2f}" for part in PARTS]
        sheet.add(case, members, steps, f"{whole:.2f}", *cells, f"{1 - seconds['steps'] / whole:.1%}")
    return sheet


class Stopwatch:
    """Adds up the seconds spent in functions, by part; what one calls of another's time is the inner one's."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._wait = wait

    def around(self, part: str, function: Callable) -> Callable:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began, before = time.perf_counter(), sum(self.seconds.values())
            try:
                return function(*args, **kwargs)
            finally:
                self._wait()
                inner = sum(self.seconds.values()) - before
                self.seconds[part] += time.perf_counter() - began - inner

        return timed


@contextmanager
def trained(case: Case, count: int, training: Training) -> Iterator[Job]:
    """What the training stage needs of a pack, fused: its job, for a block."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as patches:
        prepared = Path(folder) / "prepared.h5"
        examples = build("dataset", case.dataset).load()
        with result_files.create_file(prepared, "prepare") as file:
            result_files.write_tree(file.create_group("examples"), vars(examples))
        members = tuple(
            PackMember(seed, member.n_train, member.learning_rate, f"s{seed}", f"{seed:064x}", case.name, None, 0)
            for seed, member in enumerate(case.members(count))
        )
        sources = engine_digest("train", [registry.find(*part) for part in case.parts.items()])
        groups = (FusableGroup({family: ComponentConfig(name, {}) for family, name in case.parts.items()}, sources),)
        train = {"steps": training.steps, "precision": "float32"}
        task = TrainTask(case.name, members, groups, train, "always", "auto", prepared, stop=None)
        path = Path(folder) / "train" / f"{case.name}-{0:012x}.h5"
        # A machine with a GPU may lack what reads the options in a task.
        patches.enter_context(patch.object(stage, "build_training", lambda *_: training))
        patches.enter_context(patch.object(stage, "build_game", lambda *given: case.game(given[-1])))
        yield Job("train", case.name, "0" * 64, task, (prepared,), (path,))


def job(case: Case, count: int, steps: int, device: str, started: float) -> dict[str, float]:
    """Run the training stage on a pack and return the seconds of its parts."""
    training = case.training(steps)
    # A GPU works on after a call returns: the stopwatch waits for it.
    watch = Stopwatch(torch.cuda.synchronize if device == "cuda" else lambda: None)
    with trained(case, count, training) as told, ExitStack() as patches:
        for owner, name, part in (
            (Executor, "__call__", "steps"),
            (Match, "draw", "random numbers"),
            (engine, "keep_snapshot", "snapshots"),
            (Checkpoint, "save", "checkpoints"),
            (result_cache, "write", "writing"),
            (pack_trainer, "train", "recording"),  # what is left of the loop
        ):
            patches.enter_context(patch.object(owner, name, watch.around(part, getattr(owner, name))))
        watch.seconds["start and end"] = time.time() - started
        watch.around("start and end", stage.run)(told, JobContext(ExecutionSettings(device=device)))
    return watch.seconds


if __name__ == "__main__":
    name, members, steps, place, started = sys.argv[1:]
    print(json.dumps(job(CASES[name], int(members), int(steps), place, float(started))))
