"""Partial reports: tables, figures and report of the packs that are done, while others still run or have failed.

A partial report has its own folder. It changes no file of the whole study and takes no lock of the workflow, since it
only reads result files, which appear complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from ganbench.analysis import collected
from ganbench.analysis.collected import Missing
from ganbench.analysis.columns import MISSING
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import truncate
from ganbench.core.locks import hold_lock
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.processor import one_thread
from ganbench.pipeline.jobs import ExecutionSettings, Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import OF_DATASETS, STAGES, collect, figures, report, tables
from ganbench.pipeline.status import DONE, FAILED, SILENT, STATES, STOPPED, JobStatus, StudyStatus, read_status

FOLDER = "partial"


class PartialPlan(Plan):
    """A plan of the packs whose outcomes are known: packs that are trained and, if they train on data, evaluated.

    Args:
        whole: The plan of the study.
        done: A function that tells whether a job is done.
        folder: The folder of the partial report.
    """

    def __init__(self, whole: Plan, done: Callable[[Job], bool], folder: Path) -> None:
        self.study, self.file, self.experiments, self.folder = whole.study, whole.file, whole.experiments, folder
        self.prepare, self.judge, self.reference = whole.prepare, whole.judge, whole.reference
        kept = {name: pack for name, pack in whole.packs.items() if all(map(done, jobs_behind_outcomes(whole, name)))}
        self.packs = kept
        known = {run.id for pack in kept.values() for run in pack.runs}
        self.runs = tuple(run for run in whole.runs if run.id in known)  # in the order of the grid
        self.train = {name: whole.train[name] for name in kept}
        self.evaluate = {name: job for name, job in whole.evaluate.items() if name in kept}
        others = {name: job for name, job in whole.diagnose.items() if name in kept or name not in whole.packs}
        self.diagnose = {name: job for name, job in others.items() if done(job)}


def jobs_behind_outcomes(plan: Plan, pack: str) -> list[Job]:
    """The jobs that the outcomes of a pack's runs depend on, in the order of their stages."""
    made_by = {job.path: job for stage in OF_DATASETS for job in plan.jobs(stage).values()}
    found = {job.path: job for job in (plan.train[pack], plan.evaluate.get(pack)) if job}
    waiting = [path for job in found.values() for path in job.inputs]
    while waiting:
        path = waiting.pop()
        if path in made_by and path not in found:
            found[path] = made_by[path]
            waiting += made_by[path].inputs
    return sorted(found.values(), key=lambda job: STAGES.index(job.stage))


def write(plan: Plan) -> Path:
    """Write tables, figures and the report of the present results to the folder `partial` of the study's results.

    Returns:
        The path of the report.

    Raises:
        GanbenchError: No pack is done yet, or another process is writing the partial report.
    """
    one_thread()
    now = read_status(plan)
    statuses = {(each.job.stage, each.job.name): each for each in now.jobs}

    def done(job: Job) -> bool:
        return statuses[job.stage, job.name].state == DONE

    target = plan.folder / FOLDER
    part = PartialPlan(plan, done, _beside(target))
    if not part.runs:
        counts = ", ".join(f"{len(now.of(state)):,} {state}" for state in STATES if now.of(state))
        raise GanbenchError(
            f"{plan.folder} holds no run yet whose outcome is known, so there is nothing to report. Jobs: {counts}. "
            "Wait for the first pack to be trained and scored; `ganbench status` tells how far it is."
        )
    with hold_lock(plan.folder / f".{FOLDER}.lock", f"the partial report {target}"), _replacing(target):
        context, tables_folder = JobContext(ExecutionSettings(device="cpu")), part.collect.path.parent
        collect.gather(part.collect.task, tables_folder, context)
        _missing(plan, part, now, statuses).write(tables_folder)
        for name, stage in (("tables", tables), ("figures", figures), ("report", report)):
            stage.run(part.jobs(name)[name], context)
        shutil.rmtree(part.folder / "collect")  # read by these three stages only
    return target / "report.html"


def _missing(plan: Plan, part: PartialPlan, now: StudyStatus, statuses: dict[tuple[str, str], JobStatus]) -> Missing:
    rows, counts = [], {experiment: [0, 0] for experiment in plan.experiments}
    for name, pack in plan.packs.items():
        if name not in part.packs:
            lacking = _lacking([statuses[job.stage, job.name] for job in jobs_behind_outcomes(plan, name)])
            about = {"pack": name, "stage": lacking.job.stage, "state": lacking.state, "why": _why(lacking)}
            rows += [{"run": run.id, **run.point, **about} for run in pack.runs]
    for name, job in plan.diagnose.items():
        for each in job.task.observations:
            counts[each.experiment][0] += name not in part.diagnose
            counts[each.experiment][1] += 1
    return Missing(
        runs=pd.DataFrame(rows, columns=list(MISSING)).astype(
            dict.fromkeys(("n_train", "learning_rate", "generator_learning_rate"), float)
        ),
        observations={experiment: (lacking, total) for experiment, (lacking, total) in counts.items()},
        stages={stage: {state: count[state] for state in STATES} for stage, count in now.counts().items()},
        ended=tuple(
            collected.EndedJob(each.job.stage, each.job.name, each.state, truncate(each.cause), str(each.log or ""))
            for each in now.of(FAILED, SILENT, STOPPED)
        ),
        at=now.at,
        held=now.held or "",
    )


def _lacking(statuses: list[JobStatus]) -> JobStatus:
    """The job that a pack waits for: the first that failed; if none did, the first that stopped, runs or waits."""
    return max((each for each in statuses if each.state != DONE), key=lambda each: STATES.index(each.state))


def _why(status: JobStatus) -> str:
    words = f"{status.job.stage} {status.state}"
    return f"{words}: {truncate(status.cause)}" if status.cause else words


def _beside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.new")


@contextmanager
def _replacing(folder: Path) -> Iterator[None]:
    """Replace `folder` by the folder `_beside` it, which the block fills, if the block ends without an error."""
    new, old = _beside(folder), folder.with_name(f".{folder.name}.old")
    for left in (new, old):  # a process that was killed may have left them
        shutil.rmtree(left, ignore_errors=True)
    try:
        yield
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
