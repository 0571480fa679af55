"""The status of a study: which jobs are done, which run and how far they are, which failed and why.

It may be read at any time: reading takes no lock and writes nothing. A job is done if its files exist; the state of
the others is read from their journal. Every folder is listed once, however many packs there are. Of a job that is done,
the journal is opened for the time that is left, and the results where runs may have been stopped early; once for all
looks that share one `Known`. Imports no torch.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.escaping import escape_control
from ganbench.core.locks import current_holder
from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.job_context import lock_of
from ganbench.pipeline.execution.journal import Entry
from ganbench.pipeline.execution.timestamps import now
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.stage_times import seconds_left
from ganbench.pipeline.results_folder import LOCK

WAITING = "waiting"
RUNNING = "running"
SILENT = "silent"  # running by its journal, which has not been written for long: most likely killed
STOPPED = "stopped"  # its next attempt goes on from a checkpoint
FAILED = "failed"
DONE = "done"
LAST_BYTES = 4096  # of a log that are read for its last line
STATES = (WAITING, RUNNING, SILENT, STOPPED, FAILED, DONE)


@dataclass(frozen=True)
class JobStatus:
    """The state of a job, with its log and its journal."""

    job: Job
    state: str
    log: Path | None  # None for a job that has not run in the workflow
    entry: Entry | None = None  # the job's journal; None for a job that is done or has never run
    last_line: str = ""  # of the log of a job that failed before it had a journal

    @property
    def attempts(self) -> int:
        """The number of attempts so far; 0 for a job without a journal."""
        return 0 if self.entry is None else len(self.entry.ends) + self.entry.running

    @property
    def cause(self) -> str:
        """Why the last attempt ended, in one line; empty if none has ended."""
        if self.state == SILENT:
            return "its journal has not been written for long: it was killed, most likely for memory or with its node"
        if self.last_line:
            return f"failed before it began: {self.last_line}"
        if self.entry is None or self.entry.running or not self.entry.ends:
            return ""
        end = self.entry.ends[-1]
        complete = end.how == journal.FAILED or end.how in end.cause
        return end.cause if complete else f"{end.how}: {end.cause}".removesuffix(": ")

    def about(self) -> dict[str, Any]:
        """The job's status as JSON-able values."""
        known: dict[str, Any] = {"stage": self.job.stage, "name": self.job.name, "state": self.state}
        known |= {"file": str(self.job.path), "log": self.log and str(self.log)}
        if self.entry is not None:
            fields = {key: value for key, value in vars(self.entry).items() if key not in ("running", "beat", "ends")}
            known |= {**fields, "seconds_left": self.entry.seconds_left if self.entry.running else None}
        if self.entry is not None or self.last_line:
            known |= {"attempts": self.attempts, "cause": self.cause}
        return known


@dataclass(frozen=True)
class StudyStatus:
    """The status of a study at one time."""

    study: str
    folder: Path
    at: str
    held: str | None  # the holder of the results folder's lock, in words
    jobs: tuple[JobStatus, ...]
    stopped_early: dict[str, int]  # by outcome, the number of runs that were stopped for it so far
    seconds_left: float | None  # until all jobs are done; None if the study was not checked

    @property
    def done(self) -> bool:
        """Whether all jobs are done."""
        return all(each.state == DONE for each in self.jobs)

    @property
    def under_way(self) -> bool:
        """Whether a workflow or another command holds the results folder, or a job runs."""
        return self.held is not None or bool(self.of(RUNNING))

    def of(self, *states: str) -> list[JobStatus]:
        """The jobs in one of these states, in the order of their stages."""
        return [each for each in self.jobs if each.state in states]

    def counts(self) -> dict[str, Counter[str]]:
        """The number of jobs in each state, by stage that has jobs."""
        counts: dict[str, Counter[str]] = {}
        for status in self.jobs:
            counts.setdefault(status.job.stage, Counter())[status.state] += 1
        return counts

    def about(self) -> dict[str, Any]:
        """The study's status as JSON-able values."""
        return {
            "study": self.study,
            "folder": str(self.folder),
            "at": self.at,
            "held_by": self.held,
            "done": self.done,
            "seconds_left": self.seconds_left,
            "stopped_early": self.stopped_early,
            "stages": {stage: {state: count[state] for state in STATES} for stage, count in self.counts().items()},
            "jobs": [each.about() for each in self.jobs],
        }


@dataclass
class Known:
    """What earlier looks at a study have read of jobs that are done, by their first outputs."""

    entries: dict[Path, Entry | None] = field(default_factory=dict)
    stopped: dict[Path, Counter[str]] = field(default_factory=dict)  # numbers of runs, by outcome they were stopped for


def read_status(plan: Plan, known: Known | None = None) -> StudyStatus:
    """Read the present status of a study.

    Args:
        plan: the study's plan.
        known: what earlier looks have read, to which this one adds; None for a single look.
    """
    exists, known = listing(), known or Known()
    jobs = tuple(_job_status(plan, job, exists) for job in plan.all_jobs())
    stopped = _stopped_early((each.job for each in jobs if each.state == DONE), known.stopped)
    left = seconds_left(plan, [(each.job, each.entry) for each in jobs if each.state != DONE], known.entries)
    return StudyStatus(plan.study.study, plan.folder, now(), current_holder(plan.folder / LOCK), jobs, stopped, left)


def listing() -> Callable[[Path], bool]:
    """A function that tells whether a file exists, and lists each folder only once, at the first question about it."""
    listings: dict[Path, set[str]] = {}

    def exists(path: Path) -> bool:
        if path.parent not in listings:
            try:
                listings[path.parent] = set(os.listdir(path.parent))
            except (FileNotFoundError, NotADirectoryError):
                listings[path.parent] = set()
        return path.name in listings[path.parent]

    return exists


def _job_status(plan: Plan, job: Job, exists: Callable[[Path], bool]) -> JobStatus:
    log = plan.folder / job.log
    kept = log if exists(log) else None
    if all(map(exists, job.files)):
        return JobStatus(job, DONE, kept)
    entry_path = journal.path_of(plan.folder, job.stage, job.path)
    entry = journal.read(entry_path) if exists(entry_path) else None
    if kept and entry is None and (line := _early_failure(job, kept, entry_path)):
        return JobStatus(job, FAILED, kept, last_line=line)
    return JobStatus(job, _state(entry), kept, entry and _plain_entry(entry))


def _early_failure(job: Job, log: Path, entry_path: Path) -> str:
    """The last line, in plain characters, of the log of a job that ended before it had a journal; empty otherwise.

    A job that has only started has an empty log. One that waits for another of its pack says so in its log, and the
    lock of the pack is held. A log without a digest in its name may be of a former configuration, and tells nothing.
    """
    if job.path.suffix != ".h5" or current_holder(lock_of(entry_path, job.path)):
        return ""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LAST_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
        return next(filter(None, map(plain, reversed(lines))), "")
    return ""


def _stopped_early(done: Iterable[Job], known: dict[Path, Counter[str]]) -> dict[str, int]:
    """The number of runs that were stopped early, by outcome. Only files that may hold such runs are read, and once."""
    may_hold = [job for job in done if job.stage == "train" and job.task.stop is not None]
    for job in may_hold:
        if job.path not in known:
            with suppress(GanbenchError), result_files.open_file(job.path, "train") as file:  # it may be damaged
                runs = result_files.descend(file, "runs")
                told = [runs[digest].scalars()["stopped"] for digest in runs]
                known[job.path] = Counter(outcome for _, outcome, *_ in filter(None, told))
    return dict(sum((known[job.path] for job in may_hold if job.path in known), Counter()))


def _state(entry: Entry | None) -> str:
    if entry is None:
        return WAITING
    if entry.running:
        return SILENT if entry.silent else RUNNING
    if not entry.ends:  # the job was done once, and its outputs have been removed
        return WAITING
    stopped = entry.ends[-1].how in (journal.STOPPED, journal.OUT_OF_TIME)
    return STOPPED if stopped else FAILED


def _plain_entry(entry: Entry) -> Entry:
    """The entry with all its texts in plain characters, since an error message may hold control characters."""
    words = {name: plain(getattr(entry, name)) for name in ("host", "cluster_job", "what", "unit", "since", "at")}
    ends = tuple(replace(end, how=plain(end.how), cause=plain(end.cause)) for end in entry.ends)
    return replace(entry, **words, ends=ends)


def plain(text: str) -> str:
    """The text in one line, without control characters."""
    return " ".join(escape_control(text).split())
