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
from ganbench.pipeline.resources.job_costs import job_seconds, left_to_compute
from ganbench.pipeline.resources.stored_estimates import Timings, read_estimates, read_held, read_timings
from ganbench.pipeline.stage_names import OF_DATASETS, OF_PACKS, STAGES

WORKFLOW_SECONDS = 15.0  # Snakemake's start and end, with the trial of the study


def by_stage(seconds: Mapping[Path, float], jobs: Iterable[Job]) -> dict[str, tuple[int, float]]:
    """The number of jobs and the sum of their seconds, by stage that has jobs.

    Args:
        seconds: the seconds of each job, by its first output.
        jobs: the jobs.
    """
    found: dict[str, tuple[int, float]] = {}
    for job in jobs:
        count, total = found.get(job.stage, (0, 0.0))
        found[job.stage] = count + 1, total + seconds[job.path]
    return found


def elapsed(seconds: Mapping[Path, float], waiting: Iterable[Job], parallel_jobs: int) -> float:
    """The seconds until all jobs are done, if each starts when its inputs exist and a place is free.

    Args:
        seconds: the seconds of each job, by its first output.
        waiting: the jobs to do.
        parallel_jobs: the number of jobs that may run at the same time.
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
        plan: the study's plan.
        folder: the folder of its results, with the estimates and the journal.

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
        if _timed_whole(entry):
            yield job, entry


def _timed_whole(entry: Entry | None) -> bool:
    """Whether an entry is that of a job that is done, with the time of all its attempts."""
    return entry is not None and bool(entry.worked) and not entry.running and not entry.ends


def seconds_left(
    plan: Plan, unfinished: Sequence[tuple[Job, Entry | None]], known: dict[Path, Entry | None] | None = None
) -> float | None:
    """The seconds until a study is done.

    A job that runs takes what its own rate says. The others take what was estimated, times the pace of their stage: the
    ratio of measured to estimated time over its jobs that are done, without those that took over results of earlier
    jobs. A job of a pack that was stopped takes only its share that is left.

    Args:
        plan: the study's plan.
        unfinished: the jobs that are not done, each with its entry in the journal, if it has one.
        known: the entries of jobs that were done before, by their first outputs; those of other jobs that are done are
            read, and put in here. None for none.

    Returns:
        The time, if as many jobs run at once as now do, or as `check` counted on; None if the study was not checked.
    """
    estimates, timings = read_estimates(plan.folder), read_timings(plan.folder)
    if timings is None:
        return None
    seconds, paces, waiting = {}, {}, {job.path for job, _ in unfinished}
    known = {} if known is None else known
    for stage in {job.stage for job, _ in unfinished}:
        done = [(job, _entry(plan, job, known)) for job in plan.jobs(stage).values() if job.path not in waiting]
        timed = [(job, entry) for job, entry in done if _timed_whole(entry) and not entry.copied]
        estimated = sum(job_seconds(plan, job, estimates, timings) for job, _ in timed)
        paces[stage] = sum(entry.seconds for _, entry in timed) / estimated if estimated else 1.0
    for job, entry in unfinished:
        known.pop(job.path, None)  # it is repeated
        whole = job if entry else left_to_compute(job, read_held(plan.folder))  # its entry counts what it copied
        estimated = paces[job.stage] * job_seconds(plan, whole, estimates, timings)
        seconds[job.path] = _job_seconds_left(job, estimated, entry)
    running = sum(entry is not None and entry.running and not entry.silent for _, entry in unfinished)
    return elapsed(seconds, [job for job, _ in unfinished], max(running, timings.parallel_jobs))


def _entry(plan: Plan, job: Job, known: dict[Path, Entry | None]) -> Entry | None:
    """The entry of a job that is done, which is read once."""
    if job.path in known:
        return known[job.path]
    entry = journal.read(journal.path_of(plan.folder, job.stage, job.path))
    if entry is None or not entry.running:  # a job notes its end a moment after its outputs appear
        known[job.path] = entry
    return entry


def _job_seconds_left(job: Job, estimated: float, entry: Entry | None) -> float:
    if entry is None or entry.silent:
        return estimated
    if not entry.running:  # without an end it was done once, and is repeated; jobs of other stages begin at zero
        goes_on = entry.ends and entry.total and job.stage in OF_PACKS
        return estimated * (1 - entry.done / entry.total) if goes_on else estimated
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
