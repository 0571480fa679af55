"""What the jobs of each stage are told: one frozen dataclass per stage, and one for a run of a pack.

A task is all that a job may know of the study. Its fields that hold a `Path` say where things lie and enter no digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganbench.core.source_digests import digest
from ganbench.pipeline.typed_json import encode


@dataclass(frozen=True)
class ComponentConfig:
    """A component with its options."""

    name: str  # of the component, or the path of a user's own file
    options: dict[str, Any]  # complete
    label: str | None = None  # what names, tables and figures call it


@dataclass(frozen=True)
class Group:
    """Runs of a pack that are made of the same components: those that can fuse."""

    components: dict[str, ComponentConfig]  # by family
    sources: str  # digest of the sources that can change their training


@dataclass(frozen=True)
class PackMember:
    """A run of a pack."""

    id: str  # as its `study.grid.Run` has it
    digest: str  # of all that can change its results in the stage
    method: str
    group: int  # its index among the task's groups
    seed: int
    n_train: int | None
    learning_rate: float
    block: str | None = None  # label of its block of the grid


@dataclass(frozen=True)
class PrepareTask:
    dataset: ComponentConfig
    files: tuple[str, ...]  # digests of the files that the data set reads
    sources: str


@dataclass(frozen=True)
class JudgeTask:
    judge: ComponentConfig
    sources: str
    prepared: Path


@dataclass(frozen=True)
class TrainTask:
    pack: str
    members: tuple[PackMember, ...]
    groups: tuple[Group, ...]
    train: dict[str, Any]  # the study's training options
    fuse: str
    prepared: Path | None  # None for a game without data


@dataclass(frozen=True)
class InceptionWeights:
    path: Path
    sha256: str  # its first characters


@dataclass(frozen=True)
class EvaluateTask:
    pack: str
    members: tuple[PackMember, ...]
    groups: tuple[Group, ...]
    train_digests: tuple[str, ...]  # of the members, in their order
    metrics: tuple[ComponentConfig, ...]
    samples: int
    samples_kept: int
    sources: str
    trained: Path
    prepared: Path
    judge: Path
    weights: InceptionWeights | None


@dataclass(frozen=True)
class DiagnosticConfig:
    """The diagnostic of an experiment."""

    diagnostic: ComponentConfig
    sources: str


@dataclass(frozen=True)
class Observation:
    """A run of a pack as an experiment sees it; without a run, what the experiment shows of the study."""

    id: str
    experiment: str
    digest: str  # over the diagnostic and the run's training
    run: str = ""
    trained: str | None = None  # digest of the run's training
    member: PackMember | None = None


@dataclass(frozen=True)
class DiagnoseTask:
    pack: str
    members: tuple[PackMember, ...]
    groups: tuple[Group, ...]
    train: dict[str, Any]
    experiments: dict[str, DiagnosticConfig]  # by name
    selected: dict[str, tuple[int, ...]]  # by experiment: the indices of the members that it measures
    prepared: Path | None
    trained: Path | None  # None for experiments that see no run

    @property
    def observations(self) -> Iterator[Observation]:
        """What the job observes, experiment by experiment."""
        for name, diagnostic in self.experiments.items():
            identity = without_locations(encode(diagnostic))
            for member in [self.members[index] for index in self.selected[name]] if self.trained else [None]:
                run, trained = (member.id, member.digest) if member else ("", None)
                yield Observation(f"{name}:{run}", name, digest([identity, trained]), run, trained, member)


@dataclass(frozen=True)
class TrackTask:
    study: str
    uri: str | None  # as the study has it; None for the store beside the results
    store: Path
    collected: Path

    @property
    def address(self) -> str:
        """The address of the MLflow store."""
        return self.uri or f"sqlite:///{self.store}"


@dataclass(frozen=True)
class TablesTask:
    claims: tuple[dict[str, Any], ...]
    collected: Path
    folder: Path


@dataclass(frozen=True)
class FiguresTask:
    shown: tuple[tuple[str, str | None], ...]  # kind of figure, and its method or experiment
    collected: Path
    folder: Path


@dataclass(frozen=True)
class ReportTask:
    study: dict[str, Any]  # but for where things lie
    shown: tuple[tuple[str, str | None], ...]
    collected: Path
    folder: Path
    figures: Path


def identity(task: Any) -> Any:
    """What the digest of a task is made of: all of it, as JSON-able values, but for where things lie."""
    return without_locations(encode(task, paths=False))


def without_locations(content: Any) -> Any:
    """JSON-able values without where users' own files lie.

    Components that are named by a file's path go by the file's name alone, since its content has a digest of its own.
    """
    if isinstance(content, dict):
        own = {"name": Path(content["name"]).stem} if str(content.get("name")).endswith(".py") else {}
        return {key: without_locations(value) for key, value in content.items()} | own
    return [without_locations(each) for each in content] if isinstance(content, list | tuple) else content
