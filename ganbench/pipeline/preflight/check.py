"""The check of a study, which finds what would fail before any job starts.

This module imports no torch and runs no component's file. The trial of the study runs in its own process, which is
killed if it does not end by itself.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganbench.analysis.outcomes._spikes import bins_for_spikes
from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import plural
from ganbench.core.recorder import bin_edges
from ganbench.core.source_digests import digest
from ganbench.pipeline import early_stopping, results_folder
from ganbench.pipeline.execution import archives, continuing, inception_weights, result_cache
from ganbench.pipeline.jobs import DIGEST
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.trial_messages import (
    Begun,
    Estimated,
    Failed,
    Message,
    Note,
    Passed,
    Progress,
    from_line,
)
from ganbench.pipeline.resources import stored_estimates
from ganbench.pipeline.resources.job_costs import left_to_compute
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.pipeline.stage_names import OF_PACKS
from ganbench.tracking.address import check_tracking_uri

PASSED = ".passed"  # file in the study's folder with the digest of the last trial that passed
# Stages whose digests a trial depends on.
TRIED = ("prepare", "judge", "reference", "train", "evaluate", "diagnose", "collect", "tables")
LOG = "check.log"  # file in the folder of logs with the output of the trial's process, tracebacks included
START_SECONDS = 300  # time to import the package on a slow file system
# The process ends each part of a trial after the part's own limit, and reports the line where it was. If the part goes
# on for so much longer, as code of a library may, the process is killed.
GRACE_SECONDS = 30


class Listeners(NamedTuple):
    """Functions that are called while a study is checked.

    Attributes:
        note: called with each note for the study's author.
        progress: called with what is tried or timed, when that begins.
        estimated: called with the estimate of each method, once it has been timed.
    """

    note: Callable[[str], None] = lambda text: None
    progress: Callable[[str], None] = lambda text: None
    estimated: Callable[[Estimate], None] = lambda estimate: None


SILENT = Listeners()


def check(
    plan: Plan,
    *,
    here: bool = True,
    parallel_jobs: int | None = None,
    remeasure: bool = True,
    to: Listeners = SILENT,
) -> list[Estimate]:
    """Try a study and write its estimates to the results folder.

    Args:
        plan: the study's plan.
        here: whether jobs will run on this machine: on a cluster, the machine that submits them may have no GPU.
        parallel_jobs: the number of jobs that will run at the same time; None for one per CPU of this machine.
        remeasure: whether to try and time again what has not changed since an earlier trial.
        to: who is told of what is found and done.

    Returns:
        The estimates of all methods.

    Raises:
        GanbenchError: no result could confirm a test of a claim, the trial finds a fault, the tracking address cannot
            be written to, weights or files of data sets are missing or wrong, or the disk has too little room.
    """
    from ganbench.pipeline.preflight.planned_tests import refuse_unconfirmable  # late: pandas takes long to import

    refuse_unconfirmable(plan)
    if here:
        check_tracking_uri(plan.study.tracking_uri, to_be_made=plan.folder)
    archives.provide(plan.needed_archives, plan.folder / archives.VERIFIED)  # the trial loads the data sets
    state, before = _state(plan, here), stored_estimates.read_timings(plan.folder)
    estimates = list(stored_estimates.read_estimates(plan.folder).values())
    if remeasure or before is None or not estimates or _passed(plan) != state:
        estimates, timings = _trial(plan, here, remeasure, to)
    else:  # nothing has changed since a trial that passed
        timings = before
    held = result_cache.held(job for stage in OF_PACKS for job in plan.jobs(stage).values() if not job.done)
    for text in (*_too_few_bins(plan), *_stopped(plan), *_kept(plan, held), *_continued(plan, held)):
        to.note(text)
    if inception := plan.grid.inception:
        inception_weights.fetch(inception.path, inception.sha256)
    jobs = parallel_jobs or (before.parallel_jobs if before and not remeasure else os.cpu_count() or 1)
    results_folder.require_space(plan, _bytes_to_write(plan, estimates, jobs, held))
    stored_estimates.write_held(plan.folder, held)
    stored_estimates.write_estimates(plan.folder, estimates)
    stored_estimates.write_timings(plan.folder, replace(timings, parallel_jobs=jobs))
    with atomic_write(plan.folder / PASSED) as new:
        new.write_text(state)
    return estimates


def _state(plan: Plan, here: bool) -> str:
    """The digest of everything that a trial depends on: the jobs, the machine, and the claims."""
    jobs = [job.digest for stage in TRIED for job in plan.jobs(stage).values()]
    return digest([here, plan.study.machine.model_dump(mode="json"), *jobs])


def _passed(plan: Plan) -> str | None:
    """The state of the study at the last trial that passed; None if none has."""
    try:
        return (plan.folder / PASSED).read_text()
    except (OSError, ValueError):
        return None


def _bytes_to_write(plan: Plan, estimates: list[Estimate], jobs: int, held: Mapping[str, Path]) -> int:
    """The bytes on disk that the packs still to train will take at most, so many of them at a time.

    Copies of runs take room for good where they come from the file of another pack, which stays; the pack's own file
    goes when the new one is written. Snapshots of new runs are in files of their own until then.
    """
    each = {estimate.method: estimate.bytes for estimate in estimates}
    lasting, passing = [], []
    for job in plan.train.values():
        if not job.done:
            own = {result_cache.resume_folder(job), job.path.with_name(job.name)}
            sizes = {"new": 0, "own": 0, "others": 0}
            for member in job.task.members:
                file = held.get(member.digest)
                replaced = file and (file.parent in own or file.with_name(file.stem[:-DIGEST]) in own)
                sizes["new" if file is None else "own" if replaced else "others"] += each.get(member.method, 0)
            lasting.append(sizes["new"] + sizes["others"])
            passing.append(sizes["new"] + sizes["own"])
    return sum(lasting) + sum(sorted(passing, reverse=True)[:jobs])


def _too_few_bins(plan: Plan) -> Iterator[str]:
    """Tell how many runs on data record too few bins of steps for spikes of their losses to be told."""
    steps: dict[tuple[int, int], list[int]] = {}
    for run in plan.grid.runs:
        edges = bin_edges(run.train.steps, run.train.curve_bins, run.train.snapshots.every)
        needed = bins_for_spikes(float(np.median(np.diff(edges))))
        if run.choice("dataset") and len(edges) - 1 < needed:
            steps.setdefault((needed, len(edges) - 1), []).append(run.train.steps)
    for (needed, bins), those in sorted(steps.items()):
        lengths = plural(max(those), "step") if min(those) == max(those) else f"{min(those):,} to {max(those):,} steps"
        yield (
            f"{plural(len(those), 'run')} of {lengths} cannot be judged unstable by spikes of the loss: that takes"
            f" {needed} bins of steps (train.curve_bins), and {bins} are recorded"
        )


def _stopped(plan: Plan) -> Iterator[str]:
    """Tell which runs may be stopped early, and when, in a sentence for every rule."""
    counts: Counter[str] = Counter()
    for job in plan.train.values():
        if words := early_stopping.in_words(job.task):
            counts[words] += len(job.task.members)
    yield from (f"{plural(count, 'run')} {words}" for words, count in counts.items())


def _kept(plan: Plan, held: Mapping[str, Path]) -> Iterator[str]:
    """Tell how many runs are trained already, if any are."""
    runs = [(job, member) for job in plan.train.values() for member in job.task.members]
    if kept := sum(job.done or member.digest in held for job, member in runs):
        yield f"{kept:,} of {plural(len(runs), 'run')} {'is' if kept == 1 else 'are'} trained already, and kept"


def _continued(plan: Plan, held: Mapping[str, Path]) -> Iterator[str]:
    """Tell which runs go on from finished ones of fewer steps, and which do not and why."""
    tasks = [left_to_compute(job, held.keys()).task for job in plan.train.values() if not job.done]
    yield from continuing.notes(continuing.shorter_runs(plan.folder / "train", tasks).values())


def _trial(plan: Plan, here: bool, remeasure: bool, to: Listeners) -> tuple[list[Estimate], Timings]:
    """Run the trial in its own process, and pass on its notes, its estimates or its error."""
    log = plan.folder / "logs" / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = "importing the package"
    with log.open("wb") as printed, _process(plan, here, remeasure, printed) as (process, messages):
        for message in messages:
            match message:
                case Begun(part):
                    begun = part
                case Note(text):
                    to.note(text)
                case Progress(text):
                    to.progress(text)
                case Estimated(estimate):
                    to.estimated(estimate)
                case Passed(estimates, timings):
                    return estimates, timings
                case Failed(error):
                    raise GanbenchError(error)
        process.wait()
    raise GanbenchError(f"{begun}: {_end(process.returncode)}; its output is in {log}.")


def _end(code: int) -> str:
    """A description of how the trial's process ended."""
    if code == -signal.SIGKILL:
        return "the process that tried it was killed, for too much memory or because it did not end"
    if code < 0:
        return f"the process that tried it ended by {signal.Signals(-code).name}"
    return f"the process that tried it ended with exit status {code}"


@contextmanager
def _process(
    plan: Plan, here: bool, remeasure: bool, printed: Any
) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[Message]]]:
    """Start the trial's process, and kill it with all its child processes at the end of the block.

    Yields:
        The process, and the messages that it sends.
    """
    reading, writing = os.pipe()
    how = ("--here" if here else "--elsewhere", "--remeasure" if remeasure else "--no-remeasure")
    command = [sys.executable, "-m", "ganbench", "try-study", *how, "--report", str(writing)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=printed, stderr=printed, pass_fds=[writing], start_new_session=True
    )
    os.close(writing)
    try:
        with suppress(BrokenPipeError), process.stdin as stdin:  # a process that has ended is reported by `_trial`
            stdin.write(strict_json.dumps(plan.study.resolved()).encode())
        yield process, _messages(reading, process)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _messages(reading: int, process: subprocess.Popen[bytes]) -> Iterator[Message]:
    """The messages that the process sends, until it ends or sends nothing for too long."""
    rest, end = b"", time.monotonic() + START_SECONDS
    while True:
        ready, _, _ = select.select([reading], [], [], 1.0)
        if ready:
            part = os.read(reading, 65536)
            if not part:
                return
            *whole, rest = (rest + part).split(b"\n")
            for message in map(from_line, whole):
                yield message
                seconds = message.seconds if isinstance(message, Begun) else START_SECONDS
                end = inf if seconds is None else time.monotonic() + seconds + GRACE_SECONDS
        elif process.poll() is not None:  # the process has ended, but a child process keeps the pipe open
            return
        elif time.monotonic() > end:
            process.kill()
