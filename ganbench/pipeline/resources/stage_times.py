"""What a study's jobs take: estimated from what was timed, and as it was. Imports no torch."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean

from ganbench.analysis.stage_time import StageTime
from ganbench.core import strict_json
from ganbench.core.atomic_files import replacing
from ganbench.core.text import plural
from ganbench.pipeline.execution import journal
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources import requests
from ganbench.pipeline.resources.requests import Estimate
from ganbench.pipeline.stages import STAGES

TIMINGS = ".timings.json"  # in the study's folder

# Of the stages over all results; read off studies of ten to a few hundred runs on one core.
COLLECT_SECONDS = 0.03  # a run
TRACK_SECONDS = 4.0  # MLflow's imports and its store
TRACK_RUN_SECONDS = 0.15
TABLES_SECONDS = 2.0
FIGURE_SECONDS = 1.0
REPORT_SECONDS = 2.0
WORKFLOW_SECONDS = 15.0  # Snakemake's start and end, with the study tried out


@dataclass(frozen=True)
class Timings:
    """Seconds of one core for what is no matter of a method, timed on the machine where the study was checked."""

    at_once: int = 1  # jobs that run at the same time
    start: float = 0.0  # of a job's process, before it works
    prepare: dict[str, float] = field(default_factory=dict)  # by data set
    judge: dict[str, float] = field(default_factory=dict)
    panel: dict[str, float] = field(default_factory=dict)  # before the first snapshot of a pack is scored
    looks: dict[str, dict[str, float]] = field(default_factory=dict)  # by experiment and method, of one run
    digest: str = ""  # of all that can change these numbers, but for the machine

    def look(self, experiment: str, method: str) -> float:
        """Of an instrument at a run; that of others of the experiment, where nobody timed it."""
        known = self.looks.get(experiment) or {method: 0.0}
        return known.get(method, fmean(known.values()))


def write_timings(plan: Plan, timings: Timings) -> None:
    """Leave the timings where the report and `ganbench check` find them."""
    with replacing(plan.folder / TIMINGS) as temporary:
        temporary.write_text(strict_json.dumps(asdict(timings), indent=1))


def read_timings(folder: Path) -> Timings | None:
    """The timings of the study with its results in this folder; None where there are none."""
    try:
        return Timings(**json.loads((folder / TIMINGS).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def job_seconds(plan: Plan, job: Job, estimates: Mapping[str, Estimate], timings: Timings) -> float:
    """Of one core, for a job from its start to its end.

    Args:
        plan: of the study.
        job: one of its jobs.
        estimates: by method.
        timings: of the rest.
    """
    runs = [known for member in getattr(job.task, "members", ()) if (known := estimates.get(member.method))]
    summaries = {
        "collect": COLLECT_SECONDS * len(plan.runs) + sum(timings.panel.values()),
        "track": TRACK_SECONDS + TRACK_RUN_SECONDS * len(plan.runs),
        "tables": TABLES_SECONDS,
        "figures": FIGURE_SECONDS * len(plan.shown),
        "report": REPORT_SECONDS,
    }
    if job.stage in summaries:
        return timings.start + summaries[job.stage]
    if job.stage in ("prepare", "judge"):
        return timings.start + getattr(timings, job.stage).get(job.name, 0.0)
    if job.stage == "train":
        return timings.start + sum(run.seconds for run in runs)
    if job.stage == "evaluate":
        dataset = plan.packs[job.name].runs[0].choice("dataset")
        return timings.start + timings.panel.get(dataset.label, 0.0) + sum(run.scoring for run in runs)
    return timings.start + _looking(job, timings)


def _looking(job: Job, timings: Timings) -> float:
    """Of a job of `diagnose`, for its looks. Those at runs of the same few numbers are taken together, in the time of
    one; networks take their time each."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for each in job.task.observations:
        key = each.experiment, each.member.method if each.member else ""
        seconds.setdefault(key, []).append(timings.look(*key))
    return sum(sum(each) if job.task.prepared else each[0] for each in seconds.values())


def by_stage(seconds: Mapping[Path, float], jobs: Iterable[Job]) -> dict[str, tuple[int, float]]:
    """By stage that has jobs: how many, and their seconds in all."""
    found: dict[str, tuple[int, float]] = {}
    for job in jobs:
        count, total = found.get(job.stage, (0, 0.0))
        found[job.stage] = count + 1, total + seconds[job.path]
    return found


def elapsed(seconds: Mapping[Path, float], waiting: Iterable[Job], at_once: int) -> float:
    """Seconds until all waiting jobs are done, so many of them at a time, each when its inputs are there.

    Args:
        seconds: by a job's file.
        waiting: the jobs to do.
        at_once: how many may run at the same time.
    """
    jobs = sorted(waiting, key=lambda job: (STAGES.index(job.stage) > 1, -len(getattr(job.task, "members", ()))))
    needs = {path: job.path for job in jobs for path in job.outputs}
    left = {job.path: {needs[path] for path in job.inputs if path in needs} for job in jobs}
    then: dict[Path, list[int]] = {}  # by job: the places of those that wait for it
    for place, job in enumerate(jobs):
        for path in left[job.path]:
            then.setdefault(path, []).append(place)
    ready = [place for place, job in enumerate(jobs) if not left[job.path]]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < at_once:
            place = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[jobs[place].path], place))
        now, done = heapq.heappop(running)
        for place in then.get(jobs[done].path, ()):
            left[jobs[place].path].remove(jobs[done].path)
            if not left[jobs[place].path]:
                heapq.heappush(ready, place)
    return now


def compared(plan: Plan, folder: Path) -> list[StageTime]:
    """A study's estimate beside what happened, stage by stage, as far as both are known; the last row is of all stages
    together, from start to end.

    Args:
        plan: of the study.
        folder: of its results, where the estimate and the journal lie.
    """
    estimates, timings = requests.read_estimates(folder), read_timings(folder) or Timings()
    rows, spans, seconds, done = [], [], {}, []
    for stage in STAGES:
        found = ((job, journal.read(journal.place(folder, stage, job.path))) for job in plan.jobs(stage).values())
        timed = [(job, entry) for job, entry in found if entry and entry.worked and not entry.running]
        if timed:
            now = {job.path: job_seconds(plan, job, estimates, timings) for job, _ in timed}
            actual = sum(entry.seconds for _, entry in timed)
            rows.append(StageTime(stage, len(timed), sum(now.values()), actual))
            spans += [span for _, entry in timed for span in entry.worked]
            done += [job for job, _ in timed]
            seconds |= now
    estimated = elapsed(seconds, done, timings.at_once)
    whole = f"from start to end, {plural(timings.at_once, 'job')} at a time"
    return [*rows, StageTime(whole, len(done), estimated, covered(spans))] if rows else []


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """How much time lies in at least one of the spans."""
    length, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        length += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return length
