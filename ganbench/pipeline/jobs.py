"""Jobs of a study: their tasks, and the files that they read and write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganbench.pipeline import tasks

# No two have the same fields, by which they are told apart in a job's file.
Task = (
    tasks.PrepareTask
    | tasks.JudgeTask
    | tasks.ReferenceTask
    | tasks.TrainTask
    | tasks.EvaluateTask
    | tasks.DiagnoseTask
    | tasks.TrackTask
    | tasks.TablesTask
    | tasks.FiguresTask
    | tasks.ReportTask
)


DIGEST = 12 + len("-")  # number of characters of a job's digest at the end of its file's stem


@dataclass(frozen=True)
class Job:
    """One stage for one data set, pack or study.

    `digest` covers the task, the sources and the digests of the jobs whose files the job reads, but no location. The
    name of the first output carries it.
    """

    stage: str
    name: str
    digest: str
    task: Task | CollectTask
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """The first output."""
        return self.outputs[0]

    @property
    def done(self) -> bool:
        """Whether all files exist that the job writes."""
        return all(path.exists() for path in self.files)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the job writes: its outputs, and the MLflow store, which is no output of one study alone."""
        store = self.task.database if isinstance(self.task, tasks.TrackTask) else None
        return (*self.outputs, store) if store else self.outputs

    @property
    def items(self) -> tuple[tasks.PackMember, ...] | tuple[tasks.Observation, ...]:
        """The runs or observations whose results a pack's file holds; none for other jobs."""
        return tuple(self.task.observations) if self.stage == "diagnose" else getattr(self.task, "members", ())

    @property
    def stem(self) -> str:
        """The name of files about the job, without suffix; see `stem_of`."""
        return stem_of(self.path)

    @property
    def log(self) -> str:
        """The path of the job's log in the workflow, relative to the study's results."""
        return f"logs/{self.stage}/{self.stem}.log" if self.path.suffix == ".h5" else f"logs/{self.stage}.log"


def stem_of(path: Path) -> str:
    """The part of the path of a job's first output that carries its digest.

    It is the name of the folder for collected tables, otherwise the name of the file without suffix.
    """
    return path.parent.name if path.suffix == ".parquet" else path.stem


@dataclass(frozen=True)
class NamedRuns:
    """Runs of a pack that the study calls alike."""

    method: str
    block: str | None  # label of their block of the grid
    variant: str | None
    members: tuple[int, ...]  # indices of the runs in the pack's task and files, in the order of the grid


@dataclass(frozen=True)
class CollectTask:
    """The task of `collect`: the sections that outcomes and metrics depend on, and the jobs that made the results.

    The tasks of these jobs have no members, of which a study may have a million; the result files list them. What these
    files call the runs may be older than the study, so the task has the names of the present one.
    """

    study: str
    outcome: dict[str, Any]
    evaluate: dict[str, Any]
    sources: str
    jobs: tuple[Job, ...]
    runs: dict[str, tuple[NamedRuns, ...]]  # by pack

    def of(self, stage: str) -> list[Job]:
        """The jobs of a stage, in the order of the task."""
        return [job for job in self.jobs if job.stage == stage]


def without_members(job: Job) -> Job:
    """The job of a pack, without its inputs and the fields of its task that list members."""
    emptied: dict[str, Any] = {"members": ()}
    if job.stage == "evaluate":
        emptied["train_digests"] = ()
    return replace(job, task=replace(job.task, **emptied), inputs=())


@dataclass(frozen=True)
class ExecutionSettings:
    """Where and how jobs run. None of it changes a number, so it enters no digest."""

    folder: str = ""  # folder of the study's results; empty where no journal is kept
    study: str = ""
    device: str = "auto"
    checkpoint_seconds: float = 60.0
    server: str | None = None  # address of the MLflow server that training streams to
