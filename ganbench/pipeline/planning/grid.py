"""The runs of a study and the packs that they train in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from ganbench.core.source_digests import digest
from ganbench.pipeline.jobs import ExecutionSettings, Job, Task
from ganbench.pipeline.tasks import ComponentConfig, identity
from ganbench.study.choices import Choice
from ganbench.study.grid import Run, expand
from ganbench.study.judging import validate_judges
from ganbench.study.names import dataset_name
from ganbench.study.packs import group_into_packs
from ganbench.study.schema import Study
from ganbench.study.target_checks import validate_targets


class GridPlan:
    """The runs and packs of a study, and the construction of jobs.

    Args:
        study: The study.
        file: The file that the study was read from; None if it was not read from one file.

    Raises:
        GanbenchError: The grid is not valid, a judge fits no data set, or an experiment or a claim selects no run.
    """

    def __init__(self, study: Study, file: Path | None = None) -> None:
        self.study, self.file = study, file
        self.folder = study.results / study.study
        self.runs = expand(study)
        self.packs = {pack.name: pack for pack in group_into_packs(study, self.runs)}
        self.experiments = {experiment.name: experiment for experiment in study.diagnose}
        validate_judges(study.evaluate.judge, self.datasets.values())
        variables = [run.variables for run in self.runs] if study.claims or study.published else []
        points = [run.point for run in self.runs]
        validate_targets(study.diagnose, study.claims, study.published, points, variables)

    @cached_property
    def datasets(self) -> dict[str, Choice]:
        """The data sets of the study by name."""
        choices = dict.fromkeys(choice for run in self.runs for choice in run.choices)
        return {dataset_name(choice): choice for choice in choices if choice.family == "dataset"}

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """The methods that the study compares, in the order of the grid."""
        return tuple(dict.fromkeys(run.method for run in self.runs))

    @cached_property
    def gans(self) -> tuple[str, ...]:
        """The methods that train networks on data."""
        return tuple(dict.fromkeys(run.method for run in self.runs if run.choice("architecture")))

    @cached_property
    def execution(self) -> ExecutionSettings:
        """Where and how the study's jobs run."""
        uri, machine = self.study.tracking_uri, self.study.machine
        return ExecutionSettings(
            folder=str(self.folder),
            study=self.study.study,
            device=machine.device,
            checkpoint_seconds=machine.checkpoint_seconds,
            server=uri if uri.startswith("http") else None,
        )

    def file_job(self, stage: str, name: str, task: Task, needs: Sequence[Job] = (), files: Sequence[Path] = ()) -> Job:
        """Make a job that writes one HDF5 file.

        Args:
            stage: The stage.
            name: The job's name: the name of a data set or a pack, or `study`.
            task: The task.
            needs: The jobs whose files the job reads.
            files: Other files that the job reads; the task has their checksums.

        Returns:
            The job.
        """
        value = digest([identity(task), [job.digest for job in needs]])
        inputs = (*(job.path for job in needs), *files)
        return Job(stage, name, value, task, inputs, (self.folder / stage / f"{name}-{value[:12]}.h5",))


def component_config(choice: Choice) -> ComponentConfig:
    """The configuration of a chosen component, without its label, which changes no result."""
    return ComponentConfig(choice.name, choice.options)


def components_of(run: Run) -> dict[str, ComponentConfig]:
    """The components of a run by family, with the labels that tables show."""
    return {choice.family: replace(component_config(choice), label=choice.label) for choice in run.choices}


def dataset_of(run: Run) -> str:
    """The name of a run's data set, by which `prepare` and `judge` jobs are found."""
    return dataset_name(run.choice("dataset"))
