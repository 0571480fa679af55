"""check: whatever can be known to fail is found before any job starts. Imports no torch, and runs no file of a
component: the trial of a study runs in a process of its own, which is ended where it does not end by itself."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import digest
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import inception_weights
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources import stored_estimates
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.tracking.address import check_tracking_uri

PASSED = ".passed"  # in the study's folder: the digest of what was tried and found well
# Stages whose jobs a trial speaks for.
TRIED = ("prepare", "judge", "train", "evaluate", "diagnose", "collect", "tables")
LOG = "check.log"  # what the trial's process printed, tracebacks among it, in the folder of logs
START_SECONDS = 300  # to import the package, on a slow file system
# What is tried is ended within its process, after its own limit, with the line where it was. What does not end then, as
# a library's code may not, is ended with the process.
GRACE_SECONDS = 30


def check(
    plan: Plan,
    *,
    here: bool = True,
    parallel_jobs: int | None = None,
    remeasure: bool = True,
    note: Callable[[str], None] = lambda text: None,
) -> list[Estimate]:
    """Try what the jobs will need, and leave the estimates for the workflow.

    Args:
        plan: The study's plan.
        here: Whether jobs will run on this machine: on a cluster, the machine that submits them may have no GPU.
        parallel_jobs: The number of jobs that will run at the same time; None for one per CPU of this machine.
        remeasure: Whether to try and time again what was tried before and has not changed since.
        note: Called with what the study's author should know.

    Raises:
        GanbenchError: The trial finds a fault, the tracking address cannot be written to, weights are missing, or the
            disk has too little room.
    """
    if here:
        check_tracking_uri(plan.study.tracking_uri, to_be_made=plan.folder)
    state, before = _state(plan, here), stored_estimates.read_timings(plan.folder)
    estimates = list(stored_estimates.read_estimates(plan.folder).values())
    if remeasure or before is None or not estimates or _passed(plan) != state:
        estimates, timings = _trial(plan, here, remeasure, note)
    else:  # nothing has changed since a trial that ended well
        timings = before
    if plan.weights:
        inception_weights.fetch(plan.weights, plan.study.evaluate.inception.sha256)
    results_folder.require_space(plan, _bytes_to_write(plan, estimates))
    stored_estimates.write_estimates(plan.folder, estimates)
    jobs = parallel_jobs or (before.parallel_jobs if before and not remeasure else os.cpu_count() or 1)
    stored_estimates.write_timings(plan.folder, replace(timings, parallel_jobs=jobs))
    with atomic_write(plan.folder / PASSED) as new:
        new.write_text(state)
    return estimates


def _state(plan: Plan, here: bool) -> str:
    """Digest of all that a trial depends on: what the jobs compute, where, and what claims ask for."""
    jobs = [job.digest for stage in TRIED for job in plan.jobs(stage).values()]
    return digest([here, plan.study.machine.model_dump(mode="json"), *jobs])


def _passed(plan: Plan) -> str | None:
    """The state of the study in which a trial last ended well."""
    try:
        return (plan.folder / PASSED).read_text()
    except (OSError, ValueError):
        return None


def _bytes_to_write(plan: Plan, estimates: list[Estimate]) -> int:
    """On disk, of the runs that are still to train."""
    waiting = {run.id for name, job in plan.train.items() if not job.done for run in plan.packs[name].runs}
    runs = Counter(run.method for run in plan.runs if run.id in waiting)
    return sum(each.bytes * runs[each.method] for each in estimates)


def _trial(plan: Plan, here: bool, remeasure: bool, note: Callable[[str], None]) -> tuple[list[Estimate], Timings]:
    """Run the trial in its process, and heed what it says."""
    log = plan.folder / "logs" / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = "importing the package"
    with log.open("wb") as printed, _process(plan, here, remeasure, printed) as (process, lines):
        for line in lines:
            if "error" in line:
                raise GanbenchError(line["error"])
            if "note" in line:
                note(line["note"])
            if "estimates" in line:
                return [Estimate(**_fields(each)) for each in line["estimates"]], Timings(**line["timings"])
            begun = line.get("begin", begun)
        process.wait()
    raise GanbenchError(f"{begun}: {_end(process.returncode)}; what it printed is in {log}.")


def _end(code: int) -> str:
    """How the trial's process ended."""
    if code == -signal.SIGKILL:
        return "it was killed, as what takes too much memory, or does not end, is"
    if code < 0:
        return f"it ended the process that tried it, by {signal.Signals(-code).name}"
    return f"it ended the process that tried it, with exit status {code}"


def _fields(each: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in each.items()}


@contextmanager
def _process(
    plan: Plan, here: bool, remeasure: bool, printed: Any
) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[dict[str, Any]]]]:
    """The trial's process, and what it says; it has ended, with all that it started, when the block has."""
    reading, writing = os.pipe()
    how = ("--here" if here else "--elsewhere", "--remeasure" if remeasure else "--no-remeasure")
    command = [sys.executable, "-m", "ganbench", "try-study", *how, "--report", str(writing)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=printed, stderr=printed, pass_fds=[writing], start_new_session=True
    )
    os.close(writing)
    try:
        with suppress(BrokenPipeError), process.stdin as told:  # of a process that has ended, which is told of below
            told.write(strict_json.dumps(plan.study.resolved()).encode())
        yield process, _lines(reading, process)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _lines(reading: int, process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What the process says, until it ends, or for too long says nothing."""
    rest, end = b"", time.monotonic() + START_SECONDS
    while True:
        ready, _, _ = select.select([reading], [], [], 1.0)
        if ready:
            part = os.read(reading, 65536)
            if not part:
                return
            *whole, rest = (rest + part).split(b"\n")
            for line in map(json.loads, whole):
                yield line
                end = time.monotonic() + line.get("seconds", START_SECONDS) + GRACE_SECONDS
        elif process.poll() is not None:  # and a process of its own holds its end of the pipe
            return
        elif time.monotonic() > end:
            process.kill()
