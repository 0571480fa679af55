"""The runs of a study, the packs that they train in, and the data sets that they train on."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ganbench.pipeline.tasks import WEIGHTS, ComponentConfig, InceptionWeights
from ganbench.study.choices import Choice
from ganbench.study.experiments import Experiment
from ganbench.study.grid import expand
from ganbench.study.judging import judge_of, needs_weights, validate_judges
from ganbench.study.names import dataset_name
from ganbench.study.packs import Pack, group_into_packs
from ganbench.study.runs import Run
from ganbench.study.schema import Study
from ganbench.study.target_checks import validate_targets


@dataclass(frozen=True)
class Grid:
    """The runs of a study, or some of them, and what follows from them and the study."""

    study: Study
    folder: Path  # of the results
    runs: tuple[Run, ...]
    packs: dict[str, Pack]  # by name

    @classmethod
    def of(cls, study: Study) -> Grid:
        """All runs of a study, in packs.

        Raises:
            GanbenchError: the grid is not valid, a judge fits no data set, or an experiment or a claim selects no run.
        """
        runs = expand(study)
        packs = {pack.name: pack for pack in group_into_packs(study, runs)}
        grid = cls(study, study.results / study.study, runs, packs)
        validate_judges(study.evaluate.judge, grid.datasets.values())
        variables = [run.variables for run in runs] if study.claims or study.published else []
        points = [run.point for run in runs]
        validate_targets(study.diagnose, study.claims, study.published, points, variables)
        return grid

    def part(self, packs: Container[str], folder: Path) -> Grid:
        """The runs of some packs, in the order of the whole grid.

        Args:
            packs: the names of the packs.
            folder: the folder for what is made of their results.
        """
        kept = {name: pack for name, pack in self.packs.items() if name in packs}
        ids = {run.id for pack in kept.values() for run in pack.runs}
        return replace(self, folder=folder, runs=tuple(run for run in self.runs if run.id in ids), packs=kept)

    @cached_property
    def datasets(self) -> dict[str, Choice]:
        """The data sets by name."""
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
    def experiments(self) -> dict[str, Experiment]:
        """The study's experiments by name."""
        return {experiment.name: experiment for experiment in self.study.diagnose}

    @cached_property
    def inception(self) -> InceptionWeights | None:
        """The Inception weights, laid out as torch.hub expects; None for a study whose metrics and judges need none."""
        used = [*self.study.evaluate.metrics, *map(self.judge_of, self.datasets.values())]
        if not any(map(needs_weights, used)):
            return None
        inception = self.study.evaluate.inception
        return InceptionWeights(inception.folder / "hub" / "checkpoints" / WEIGHTS, inception.sha256)

    def judge_of(self, dataset: Choice) -> Choice:
        """The judge of a data set."""
        return judge_of(self.study.evaluate.judge, dataset)


def component_config(choice: Choice) -> ComponentConfig:
    """The configuration of a chosen component, without its label, which changes no result."""
    return ComponentConfig(choice.name, choice.options)


def components_of(run: Run) -> dict[str, ComponentConfig]:
    """The components of a run by family, with the labels that tables show."""
    return {choice.family: replace(component_config(choice), label=choice.label) for choice in run.choices}


def dataset_of(run: Run) -> str:
    """The name of a run's data set, by which `prepare` and `judge` jobs are found."""
    return dataset_name(run.choice("dataset"))
