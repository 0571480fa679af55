"""The time of a study, stage by stage as estimated and as measured, and the time that is left. Imports no torch."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ganbench.analysis.stage_time import StageTime
from ganbench.core.formatting import plural
from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import Entry
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.job_costs import job_seconds
from ganbench.pipeline.resources.stored_estimates import Timings, read_estimates, read_timings
from ganbench.pipeline.stages import OF_DATASETS, STAGES

WORKFLOW_SECONDS = 15.0  # Snakemake's start and end, with the trial of the study


def by_stage(seconds: Mapping[Path, float], jobs: Iterable[Job]) -> dict[str, tuple[int, float]]:
    """The number of jobs and the sum of their seconds, by stage that has jobs.

    Args:
        seconds: The seconds of each job, by its first output.
        jobs: The jobs.
    """
    found: dict[str, tuple[int, float]] = {}
    for job in jobs:
        count, total = found.get(job.stage, (0, 0.0))
        found[job.stage] = count + 1, total + seconds[job.path]
    return found


def elapsed(seconds: Mapping[Path, float], waiting: Iterable[Job], parallel_jobs: int) -> float:
    """The seconds until all jobs are done, if each starts when its inputs exist and a place is free.

    Args:
        seconds: The seconds of each job, by its first output.
        waiting: The jobs to do.
        parallel_jobs: The number of jobs that may run at the same time.
    """
    jobs = sorted(waiting, key=lambda job: (job.stage not in OF_DATASETS, -len(getattr(job.task, "members", ()))))
    needs = {path: job.path for job in jobs for path in job.outputs}
    left = {job.path: {needs[path] for path in job.inputs if path in needs} for job in jobs}
    dependents: dict[Path, list[int]] = {}  # indices of the jobs that wait for a job, by its first output
    for index, job in enumerate(jobs):
        for path in left[job.path]:
            dependents.setdefault(path, []).append(index)
    ready = [index for index, job in enumerate(jobs) if not left[job.path]]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < parallel_jobs:
            index = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[jobs[index].path], index))
        now, done = heapq.heappop(running)
        for index in dependents.get(jobs[done].path, ()):
            left[jobs[index].path].remove(jobs[done].path)
            if not left[jobs[index].path]:
                heapq.heappush(ready, index)
    return now


def compared(plan: Plan, folder: Path) -> list[StageTime]:
    """Compare the estimated and the measured time of a study, stage by stage.

    Args:
        plan: The study's plan.
        folder: The folder of its results, with the estimates and the journal.

    Returns:
        One row per stage that has been timed, and a last row for the study from start to end; empty if no stage has.
    """
    estimates, timings = read_estimates(folder), read_timings(folder) or Timings()
    rows, spans, seconds, done = [], [], {}, []
    for stage in STAGES:
        if timed := list(_timed(plan, folder, stage)):
            now = {job.path: job_seconds(plan, job, estimates, timings) for job, _ in timed}
            actual = sum(entry.seconds for _, entry in timed)
            rows.append(StageTime(stage, len(timed), sum(now.values()), actual))
            spans += [span for _, entry in timed for span in entry.worked]
            done += [job for job, _ in timed]
            seconds |= now
    estimated = elapsed(seconds, done, timings.parallel_jobs)
    whole = f"from start to end, {plural(timings.parallel_jobs, 'job')} at a time"
    return [*rows, StageTime(whole, len(done), estimated, union_length(spans))] if rows else []


def _timed(plan: Plan, folder: Path, stage: str) -> Iterator[tuple[Job, Entry]]:
    """The jobs of a stage that are done by the journal, with their entries."""
    for job in plan.jobs(stage).values():
        entry = journal.read(journal.path_of(folder, stage, job.path))
        if entry and entry.worked and not entry.running and not entry.ends:
            yield job, entry


def seconds_left(plan: Plan, unfinished: Sequence[tuple[Job, Entry | None]]) -> float | None:
    """The seconds until a study is done.

    A job that runs takes what its own rate says. The others take what was estimated, times the ratio of measured to
    estimated time over the jobs of their stage that are done, and a stopped one only its share that is left.

    Args:
        plan: The study's plan.
        unfinished: The jobs that are not done, each with its entry in the journal, if it has one.

    Returns:
        The time, if as many jobs run at once as now do, or as `check` counted on; None if the study was not checked.
    """
    estimates, timings = read_estimates(plan.folder), read_timings(plan.folder)
    if timings is None:
        return None
    done = {row.stage: row for row in compared(plan, plan.folder)}
    seconds = {}
    for job, entry in unfinished:
        row = done.get(job.stage)
        pace = row.actual / row.estimated if row and row.estimated else 1.0
        seconds[job.path] = _job_seconds_left(pace * job_seconds(plan, job, estimates, timings), entry)
    running = sum(entry is not None and entry.running and not entry.silent for _, entry in unfinished)
    return elapsed(seconds, [job for job, _ in unfinished], max(running, timings.parallel_jobs))


def _job_seconds_left(estimated: float, entry: Entry | None) -> float:
    if entry is None or entry.silent:
        return estimated
    if not entry.running:  # without an end it was done once, and is repeated
        return estimated * (1 - entry.done / entry.total) if entry.ends and entry.total else estimated
    if entry.seconds_left is not None:
        return entry.seconds_left
    begun, _ = entry.worked[-1]
    return max(0.0, estimated - (time.time() - begun))


def union_length(spans: Iterable[tuple[float, float]]) -> float:
    """The total length of time that is covered by at least one span."""
    length, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        length += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return length
