"""How long a study takes stage by stage: as estimated, with so many jobs at a time, and as it was. Imports no torch."""

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
from ganbench.pipeline.stages import STAGES

WORKFLOW_SECONDS = 15.0  # Snakemake's start and end, with the study tried out


def by_stage(seconds: Mapping[Path, float], jobs: Iterable[Job]) -> dict[str, tuple[int, float]]:
    """By stage that has jobs: how many, and their seconds in all."""
    found: dict[str, tuple[int, float]] = {}
    for job in jobs:
        count, total = found.get(job.stage, (0, 0.0))
        found[job.stage] = count + 1, total + seconds[job.path]
    return found


def elapsed(seconds: Mapping[Path, float], waiting: Iterable[Job], parallel_jobs: int) -> float:
    """Seconds until all waiting jobs are done, so many of them at a time, each when its inputs are there.

    Args:
        seconds: What jobs take, by a job's first output.
        waiting: The jobs to do.
        parallel_jobs: The number of jobs that may run at the same time.
    """
    jobs = sorted(waiting, key=lambda job: (STAGES.index(job.stage) > 1, -len(getattr(job.task, "members", ()))))
    needs = {path: job.path for job in jobs for path in job.outputs}
    left = {job.path: {needs[path] for path in job.inputs if path in needs} for job in jobs}
    then: dict[Path, list[int]] = {}  # by job: the indices of those that wait for it
    for index, job in enumerate(jobs):
        for path in left[job.path]:
            then.setdefault(path, []).append(index)
    ready = [index for index, job in enumerate(jobs) if not left[job.path]]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < parallel_jobs:
            index = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[jobs[index].path], index))
        now, done = heapq.heappop(running)
        for index in then.get(jobs[done].path, ()):
            left[jobs[index].path].remove(jobs[done].path)
            if not left[jobs[index].path]:
                heapq.heappush(ready, index)
    return now


def compared(plan: Plan, folder: Path) -> list[StageTime]:
    """A study's estimate beside what happened, stage by stage, as far as both are known; the last row is of all stages
    together, from start to end.

    Args:
        plan: The study's plan.
        folder: The folder of its results, where the estimate and the journal lie.
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
    """How much time lies in at least one of the spans."""
    length, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        length += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return length
