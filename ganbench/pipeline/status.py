"""How a study stands: what is done, what runs and how far it is, what failed and why.

Read from outside, at any time: this takes no lock and writes nothing. What is done is what exists; of the other jobs
their journal tells. Every folder is read once, however many packs there are, and nothing here imports torch.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganbench.core.escaping import escape_control
from ganbench.core.locks import current_holder
from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import Entry
from ganbench.pipeline.execution.timestamps import now
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.results_folder import LOCK

WAITING = "waiting"
RUNNING = "running"
SILENT = "silent"  # says that it runs, and has not said so for long: most likely killed
STOPPED = "stopped"  # goes on at its next attempt
FAILED = "failed"
DONE = "done"
STATES = (WAITING, RUNNING, SILENT, STOPPED, FAILED, DONE)


@dataclass(frozen=True)
class JobStatus:
    """The state of a job, and what is known of it."""

    job: Job
    state: str
    log: Path | None  # None where there is none: it has not run, or not in the workflow
    entry: Entry | None = None  # what it says of itself; None where it is done or has never run

    @property
    def attempts(self) -> int:
        """Begun so far, as far as it is known; that of a job that is done is not."""
        return 0 if self.entry is None else len(self.entry.ends) + self.entry.running

    @property
    def cause(self) -> str:
        """Why its last attempt ended, in one line; empty where none did."""
        if self.state == SILENT:
            return "nothing was heard of it for long: killed, most likely for memory or with its node"
        if self.entry is None or self.entry.running or not self.entry.ends:
            return ""
        end = self.entry.ends[-1]
        said = end.how == journal.FAILED or end.how in end.cause
        return end.cause if said else f"{end.how}: {end.cause}".removesuffix(": ")

    def about(self) -> dict[str, Any]:
        """All that is known of it, for programs."""
        known: dict[str, Any] = {"stage": self.job.stage, "name": self.job.name, "state": self.state}
        known |= {"file": str(self.job.path), "log": self.log and str(self.log)}
        if self.entry is not None:
            said = {key: value for key, value in vars(self.entry).items() if key not in ("running", "beat", "ends")}
            known |= {**said, "seconds_left": self.entry.seconds_left if self.entry.running else None}
            known |= {"attempts": self.attempts, "cause": self.cause}
        return known


@dataclass(frozen=True)
class StudyStatus:
    """How a study stands at a moment."""

    study: str
    folder: Path
    at: str
    held: str | None  # by whom its results folder is, in words
    jobs: tuple[JobStatus, ...]

    @property
    def done(self) -> bool:
        return all(each.state == DONE for each in self.jobs)

    def of(self, *states: str) -> list[JobStatus]:
        """The jobs that stand so, in the order of their stages."""
        return [each for each in self.jobs if each.state in states]

    def counts(self) -> dict[str, Counter[str]]:
        """By stage that has jobs: how many of them stand how."""
        found: dict[str, Counter[str]] = {}
        for each in self.jobs:
            found.setdefault(each.job.stage, Counter())[each.state] += 1
        return found

    def about(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "study": self.study,
            "folder": str(self.folder),
            "at": self.at,
            "held_by": self.held,
            "done": self.done,
            "stages": {stage: {state: count[state] for state in STATES} for stage, count in self.counts().items()},
            "jobs": [each.about() for each in self.jobs],
        }


def read_status(plan: Plan) -> StudyStatus:
    """How a study stands now."""
    there = listing()
    jobs = tuple(_job_status(plan, job, there) for job in plan.all_jobs())
    return StudyStatus(plan.study.study, plan.folder, now(), current_holder(plan.folder / LOCK), jobs)


def listing() -> Callable[[Path], bool]:
    """Whether a file is there, by what its folder held when it was first asked for."""
    known: dict[Path, set[str]] = {}

    def there(path: Path) -> bool:
        if path.parent not in known:
            try:
                known[path.parent] = set(os.listdir(path.parent))
            except (FileNotFoundError, NotADirectoryError):
                known[path.parent] = set()
        return path.name in known[path.parent]

    return there


def _job_status(plan: Plan, job: Job, there: Callable[[Path], bool]) -> JobStatus:
    log = plan.folder / job.log
    if all(map(there, job.outputs)):
        return JobStatus(job, DONE, log if there(log) else None)
    entry_path = journal.path_of(plan.folder, job.stage, job.path)
    entry = journal.read(entry_path) if there(entry_path) else None
    return JobStatus(job, _state(entry), log if there(log) else None, entry and _plain_entry(entry))


def _state(entry: Entry | None) -> str:
    if entry is None:
        return WAITING
    if entry.running:
        return SILENT if entry.silent else RUNNING
    if not entry.ends:  # it was done once, and what it made has been removed
        return WAITING
    stopped = entry.ends[-1].how in (journal.STOPPED, journal.OUT_OF_TIME)
    return STOPPED if stopped else FAILED


def _plain_entry(entry: Entry) -> Entry:
    """The entry with all its words in plain characters: an error's message may hold anything."""
    words = {name: plain(getattr(entry, name)) for name in ("host", "cluster_job", "what", "unit", "since", "at")}
    ends = tuple(replace(end, how=plain(end.how), cause=plain(end.cause)) for end in entry.ends)
    return replace(entry, **words, ends=ends)


def plain(text: str) -> str:
    """The text in one line, with nothing in it that a terminal would obey."""
    return " ".join(escape_control(text).split())
