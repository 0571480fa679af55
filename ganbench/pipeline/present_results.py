"""The results that a study has now: of the packs that are done, while others wait, run or have failed.

Reading them changes no file of the study and takes no lock of the workflow, since result files appear complete.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from ganbench.analysis import collected
from ganbench.analysis.collected import Collected, Missing
from ganbench.analysis.columns import MISSING
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import truncate
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import ExecutionSettings, Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stage_names import OF_DATASETS, OF_PACKS, STAGES
from ganbench.pipeline.stages import collect
from ganbench.pipeline.status import DONE, FAILED, SILENT, STATES, STOPPED, JobStatus, StudyStatus, read_status

CONTEXT = JobContext(ExecutionSettings(device="cpu"))


def part_of(whole: Plan, done: Callable[[Job], bool], folder: Path) -> Plan:
    """The plan of the packs whose outcomes are known: packs that are trained and, if they train on data, evaluated.

    Args:
        whole: the plan of the study.
        done: a function that tells whether a job is done.
        folder: the folder for what is made of the results.
    """
    known = {name for name in whole.grid.packs if all(map(done, jobs_behind_outcomes(whole, name)))}
    unknown = whole.grid.packs.keys() - known

    def kept(job: Job) -> bool:
        return (job.stage not in OF_PACKS or job.name not in unknown) and (job.stage != "diagnose" or done(job))

    result_jobs = {
        stage: {name: job for name, job in jobs.items() if kept(job)} for stage, jobs in whole.result_jobs.items()
    }
    return Plan(whole.study, whole.file, grid=whole.grid.part(known, folder), result_jobs=result_jobs)


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


@dataclass(frozen=True)
class Present:
    """What is done of a study.

    Attributes:
        whole: the plan of the study.
        now: the study's status.
        part: the plan of what is done.
    """

    whole: Plan
    now: StudyStatus
    part: Plan

    @classmethod
    def find(cls, whole: Plan, folder: Path) -> Present:
        """Find what is done of a study.

        Args:
            whole: the plan of the study.
            folder: the folder for what is made of the results.

        Raises:
            GanbenchError: no pack is done yet.
        """
        now = read_status(whole)
        states = {(each.job.stage, each.job.name): each.state for each in now.jobs}
        part = part_of(whole, lambda job: states[job.stage, job.name] == DONE, folder)
        if not part.grid.runs:
            counts = ", ".join(f"{len(now.of(state)):,} {state}" for state in STATES if now.of(state))
            raise GanbenchError(
                f"{whole.folder} holds no run yet whose outcome is known, so there is nothing to report. Jobs: "
                f"{counts}. Wait for the first pack to be trained and scored; `ganbench status` tells how far it is."
            )
        return cls(whole, now, part)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing of what `collect` gathers."""
        part, whole = self.part, self.whole
        return len(part.grid.packs) == len(whole.grid.packs) and len(part.diagnose) == len(whole.diagnose)

    def gather(self) -> Path:
        """Write the tables of what is done, and the note on what is missing; returns their folder."""
        folder = self.part.collect.path.parent
        collect.gather(self.part.collect.task, folder, CONTEXT)
        self.missing.write(folder)
        return folder

    @cached_property
    def missing(self) -> Missing:
        """What is missing."""
        plan, part, now = self.whole, self.part, self.now
        statuses = {(each.job.stage, each.job.name): each for each in now.jobs}
        rows, counts = [], {experiment: [0, 0] for experiment in plan.grid.experiments}
        for name, pack in plan.grid.packs.items():
            if name not in part.grid.packs:
                lacking = _lacking([statuses[job.stage, job.name] for job in jobs_behind_outcomes(plan, name)])
                about = {"pack": name, "stage": lacking.job.stage, "state": lacking.state, "reason": _reason(lacking)}
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


def read(plan: Plan, study: Path) -> Collected:
    """The collected results of a study: what `collect` wrote, or what there is now.

    Results that are not collected are gathered in a temporary folder, which goes when the process ends.

    Args:
        plan: the plan of the study.
        study: the study's file, for messages.

    Raises:
        GanbenchError: the study has no results that fit its file and the sources, or a file is damaged.
    """
    if plan.collect.done:
        return Collected.read(plan.collect.path.parent)
    _refuse_other_results(plan, study)
    folder = Path(tempfile.mkdtemp(prefix=f"ganbench-{plan.study.study}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        present = Present.find(plan, folder)
    except GanbenchError as error:
        raise GanbenchError(f"{error} {_remedy(study)}") from None
    found = Collected.read(present.gather())
    return replace(found, missing=None) if present.complete else found


def _refuse_other_results(plan: Plan, study: Path) -> None:
    """Refuse a folder without results, and one whose results are all of another configuration or of other sources."""
    if not plan.folder.exists():
        raise GanbenchError(f"{study}: there is no folder {plan.folder.absolute()} with its results. {_remedy(study)}")
    for stage, digests in (("train", plan.digests.train), ("evaluate", plan.digests.evaluate)):
        folder = plan.folder / stage
        there = any(folder.glob("*.h5"))
        if there and digests and not result_files.find_runs(folder, stage, digests.values()):
            raise GanbenchError(
                f"{study}: all results in {folder} were made with another configuration than its own or with other "
                f"sources than these. {_remedy(study)}"
            )


def _remedy(study: Path) -> str:
    return f"`ganbench collect {study}` makes what is missing, and keeps the runs that are done."


def _lacking(statuses: list[JobStatus]) -> JobStatus:
    """The job that a pack waits for: the first that failed; if none did, the first that stopped, runs or waits."""
    return max((each for each in statuses if each.state != DONE), key=lambda each: STATES.index(each.state))


def _reason(status: JobStatus) -> str:
    words = f"{status.job.stage} {status.state}"
    return f"{words}: {truncate(status.cause)}" if status.cause else words
