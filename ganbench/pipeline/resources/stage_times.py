"""The time of a study stage by stage, as estimated and as measured. Imports no torch."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from pathlib import Path

from ganbench.analysis.stage_time import StageTime
from ganbench.core.formatting import plural
from ganbench.pipeline.execution import journal
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
        found = ((job, journal.read(journal.path_of(folder, stage, job.path))) for job in plan.jobs(stage).values())
        timed = [(job, entry) for job, entry in found if entry and entry.worked and not entry.running]
        if timed:
            now = {job.path: job_seconds(plan, job, estimates, timings) for job, _ in timed}
            actual = sum(entry.seconds for _, entry in timed)
            rows.append(StageTime(stage, len(timed), sum(now.values()), actual))
            spans += [span for _, entry in timed for span in entry.worked]
            done += [job for job, _ in timed]
            seconds |= now
    estimated = elapsed(seconds, done, timings.parallel_jobs)
    whole = f"from start to end, {plural(timings.parallel_jobs, 'job')} at a time"
    return [*rows, StageTime(whole, len(done), estimated, union_length(spans))] if rows else []


def union_length(spans: Iterable[tuple[float, float]]) -> float:
    """The total length of time that is covered by at least one span."""
    length, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        length += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return length
