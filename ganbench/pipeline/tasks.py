"""The tasks of jobs: one frozen dataclass per stage, and the dataclasses that they hold.

A task is all that a job knows of the study. Its fields that hold a `Path` are locations and enter no digest; neither do
fields that are marked `IN_NO_DIGEST`, such as labels and what the study calls a run: they may change where no result
does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from ganbench.core.member import Member
from ganbench.core.source_digests import digest
from ganbench.tracking.address import database_file

IN_NO_DIGEST = {"in_no_digest": True}  # metadata of a field that digests leave out, as they leave out paths


@dataclass(frozen=True)
class ComponentConfig:
    """A component with its options."""

    name: str  # name of the component, or path of a user's own file
    options: dict[str, Any]  # all options, defaults included
    label: str | None = field(default=None, metadata=IN_NO_DIGEST)  # its name in names, tables and figures


@dataclass(frozen=True)
class FusableGroup:
    """Runs of a pack that have the same components, so that they can be fused."""

    components: dict[str, ComponentConfig]  # by family
    sources: str  # digest of the sources that can change their training


@dataclass(frozen=True)
class PackMember(Member):
    """A run of a pack, with what the study calls it."""

    id: str = field(metadata=IN_NO_DIGEST)  # of its `study.grid.Run`
    digest: str  # of everything that can change the run's results in the stage
    method: str = field(metadata=IN_NO_DIGEST)
    block: str | None = field(metadata=IN_NO_DIGEST)  # label of the run's block of the grid
    group: int  # index of the run's group in the task
    variant: str | None = field(default=None, metadata=IN_NO_DIGEST)  # of its `study.grid.Run`
    trajectory: str = ""  # digest of everything that can change the run's training, whatever its number of steps


@dataclass(frozen=True)
class StopConfig:
    """How runs are stopped early."""

    outcomes: tuple[str, ...]
    thresholds: dict[str, Any]  # the values of the section `outcome` by which these are told
    sources: str  # digest of the detectors' sources


@dataclass(frozen=True)
class PrepareTask:
    """The task of `prepare`."""

    dataset: ComponentConfig
    files: str  # digest of the files that the data set reads, which may be many
    sources: str


WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"  # as pytorch-fid's releases name it


@dataclass(frozen=True)
class InceptionWeights:
    """The file of the Inception network's weights."""

    path: Path
    sha256: str  # first characters of the file's SHA-256


@dataclass(frozen=True)
class JudgeTask:
    """The task of `judge`."""

    judge: ComponentConfig
    sources: str
    prepared: Path
    weights: InceptionWeights | None = None


@dataclass(frozen=True)
class ReferenceTask:
    """The task of `reference`."""

    dataset: ComponentConfig
    judge: ComponentConfig
    metrics: tuple[ComponentConfig, ...]
    samples: int
    sources: str
    prepared: Path
    fitted: Path  # the judge's state
    weights: InceptionWeights | None


@dataclass(frozen=True)
class TrainTask:
    """The task of `train`."""

    pack: str
    members: tuple[PackMember, ...]
    groups: tuple[FusableGroup, ...]
    train: dict[str, Any]  # the study's training options
    fuse: str
    execution: str
    prepared: Path | None  # None for a game without data
    stop: StopConfig | None  # None where no run is stopped early


@dataclass(frozen=True)
class EvaluateTask:
    """The task of `evaluate`."""

    pack: str
    members: tuple[PackMember, ...]
    groups: tuple[FusableGroup, ...]
    train_digests: tuple[str, ...]  # of the members, in their order
    metrics: tuple[ComponentConfig, ...]
    batch_size: int  # number of examples that passed a network together in training
    samples: int
    samples_kept: int
    sources: str
    judge: ComponentConfig
    trained: Path
    fitted: Path  # the judge's state
    reference: Path  # the metrics' references
    weights: InceptionWeights | None
    judge_sources: str = field(metadata=IN_NO_DIGEST)  # of the judge's job, whose digest covers them


@dataclass(frozen=True)
class FittedJudge:
    """The fitted judge of a data set."""

    judge: ComponentConfig
    sources: str  # digest of the sources that judge with it
    digest: str  # of the job that fits it
    fitted: Path  # the judge's state
    weights: InceptionWeights | None


@dataclass(frozen=True)
class DiagnosticConfig:
    """The diagnostic of an experiment."""

    diagnostic: ComponentConfig
    sources: str
    judge: FittedJudge | None = None  # of the pack's data set, for a diagnostic that needs one


@dataclass(frozen=True)
class Observation:
    """An experiment's measurement of one run, or of the study as a whole."""

    id: str
    experiment: str
    digest: str  # of the diagnostic and the run's training
    run: str = ""  # id of the run; empty for the study as a whole
    trained: str | None = None  # digest of the run's training
    member: PackMember | None = None


@dataclass(frozen=True)
class DiagnoseTask:
    """The task of `diagnose`."""

    pack: str
    members: tuple[PackMember, ...]
    groups: tuple[FusableGroup, ...]
    train: dict[str, Any]
    experiments: dict[str, DiagnosticConfig]  # by name
    selected: dict[str, tuple[int, ...]]  # indices of the members that each experiment measures
    prepared: Path | None
    trained: Path | None  # None for experiments that measure no run

    @property
    def observations(self) -> Iterator[Observation]:
        """The observations of the job, experiment by experiment."""
        for name, diagnostic in self.experiments.items():
            known = identity(diagnostic)
            for member in [self.members[index] for index in self.selected[name]] if self.trained else [None]:
                run, trained = (member.id, member.digest) if member else ("", None)
                yield Observation(f"{name}:{run}", name, digest([known, trained]), run, trained, member)


@dataclass(frozen=True)
class TrackTask:
    """The task of `track`."""

    study: str
    uri: str | None  # as in the study; None for the store beside the results
    sources: str
    tracking_uri: str = field(metadata=IN_NO_DIGEST)  # of the store; `uri` decides it, but for where the results lie
    collected: Path
    file: Path  # the study's file; empty if the study was not read from one file
    data: dict[str, str]  # digests of the prepared data, by the name of the data set in the tables
    report: Path  # the report, an artifact of the experiment
    settings: dict[str, Any]  # the study as it runs, without locations: a workflow may have replaced values of the file
    results: Path  # the folder that holds the study's folder of results
    models: tuple[str, ...] = ()  # places of the runs of each method whose generators are logged
    pictures: int = 0  # most runs whose samples are drawn

    @property
    def database(self) -> Path | None:
        """The file of the MLflow store; None for a server."""
        return database_file(self.tracking_uri)


@dataclass(frozen=True)
class TablesTask:
    """The task of `tables`."""

    claims: tuple[dict[str, Any], ...]
    published: tuple[dict[str, Any], ...]
    sources: str
    collected: Path
    folder: Path


@dataclass(frozen=True)
class FiguresTask:
    """The task of `figures`."""

    shown: tuple[tuple[str, str | None], ...]  # kind of each figure, and its method or experiment
    sources: str
    collected: Path
    folder: Path


@dataclass(frozen=True)
class ResultFiles:
    """The result files of a pack."""

    trained: Path
    evaluated: Path | None  # None for a game without data
    diagnosed: Path | None  # None where no experiment measures the pack


@dataclass(frozen=True)
class ReportTask:
    """The task of `report`."""

    study: dict[str, Any]  # without locations
    shown: tuple[tuple[str, str | None], ...]
    sources: str
    collected: Path
    folder: Path
    figures: Path
    file: Path  # the study's file; empty if the study was not read from one file
    results: dict[str, ResultFiles]  # by pack


def identity(task: Any) -> Any:
    """The content of a task that its digest covers: JSON-able values of all fields that are no locations."""
    return without_locations(_covered(task))


def _covered(value: Any) -> Any:
    """JSON-able values without the fields that hold a path or are marked `IN_NO_DIGEST`."""
    if is_dataclass(value):
        kept = {field.name: getattr(value, field.name) for field in fields(value) if field.metadata != IN_NO_DIGEST}
        return {name: _covered(each) for name, each in kept.items() if not isinstance(each, Path)}
    if isinstance(value, dict):
        return {key: _covered(each) for key, each in value.items()}
    return [_covered(each) for each in value] if isinstance(value, list | tuple) else value


def without_locations(content: Any) -> Any:
    """JSON-able values without the locations of users' own files.

    A component that is named by the path of its file gets the file's name; the file's content has its own digest.
    """
    if isinstance(content, dict):
        own = {"name": Path(content["name"]).stem} if str(content.get("name")).endswith(".py") else {}
        return {key: without_locations(value) for key, value in content.items()} | own
    return [without_locations(each) for each in content] if isinstance(content, list | tuple) else content
