"""A job of a study: its task, and the files that it reads and writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganbench.pipeline import tasks
from ganbench.pipeline.typed_json import decode

Task = (
    tasks.PrepareTask
    | tasks.JudgeTask
    | tasks.TrainTask
    | tasks.EvaluateTask
    | tasks.DiagnoseTask
    | tasks.TrackTask
    | tasks.TablesTask
    | tasks.FiguresTask
    | tasks.ReportTask
)


@dataclass(frozen=True)
class Job:
    """One piece of work.

    `digest` is over the task, the sources and the digests of the jobs whose files it reads, but not over where any of
    these lie. The name of the first output carries it.
    """

    stage: str
    name: str
    digest: str
    task: Task | CollectTask
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]

    @property
    def path(self) -> Path:
        return self.outputs[0]

    @property
    def done(self) -> bool:
        return all(path.exists() for path in self.outputs)

    @property
    def stem(self) -> str:
        """What files about the job are called; see `stem_of`."""
        return stem_of(self.path)

    @property
    def log(self) -> str:
        """The workflow's log of the job, relative to the study's results; one per stage where a stage is one job."""
        return f"logs/{self.stage}/{self.stem}.log" if self.path.suffix == ".h5" else f"logs/{self.stage}.log"

    @classmethod
    def decode(cls, content: dict[str, Any]) -> Job:
        """The job that JSON-able values were made from; see `typed_json`."""
        paths = {key: tuple(map(Path, content[key])) for key in ("inputs", "outputs")}
        return cls(**{**content, **paths, "task": decode(TASKS[content["stage"]], content["task"])})


def stem_of(path: Path) -> str:
    """The part of a job's first output that carries its digest: its folder for tables, otherwise its own name."""
    return path.parent.name if path.suffix == ".parquet" else path.stem


@dataclass(frozen=True)
class CollectTask:
    """What collecting is told: the settings that outcomes and metrics depend on, and the jobs that made the results.

    The jobs come without their members, of which a study may have a million: their files tell those.
    """

    study: str
    outcome: dict[str, Any]
    evaluate: dict[str, Any]
    jobs: tuple[Job, ...]

    def of(self, stage: str) -> list[Job]:
        """The jobs of a stage, in their order."""
        return [job for job in self.jobs if job.stage == stage]


TASKS: dict[str, type] = {
    "prepare": tasks.PrepareTask,
    "judge": tasks.JudgeTask,
    "train": tasks.TrainTask,
    "evaluate": tasks.EvaluateTask,
    "diagnose": tasks.DiagnoseTask,
    "collect": CollectTask,
    "track": tasks.TrackTask,
    "tables": tasks.TablesTask,
    "figures": tasks.FiguresTask,
    "report": tasks.ReportTask,
}


def without_members(job: Job) -> Job:
    """The job of a pack, without what is told of each of its members."""
    emptied: dict[str, Any] = {"members": ()}
    if job.stage == "evaluate":
        emptied["train_digests"] = ()
    return replace(job, task=replace(job.task, **emptied), inputs=())


@dataclass(frozen=True)
class ExecutionSettings:
    """Where and how jobs run. Nothing here changes a number, so no file is named after it."""

    folder: str = ""  # of the study's results; without one there is no journal
    study: str = ""
    device: str = "auto"
    checkpoint_seconds: float = 60.0
    server: str | None = None  # address of an MLflow server, to which training streams
