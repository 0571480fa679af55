"""The digests of everything that can change a run's results, by which they are found again in files of any pack."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ganbench.core.source_digests import digest, engine_digest
from ganbench.pipeline.early_stopping import stop_config
from ganbench.pipeline.planning.construction import Jobs
from ganbench.pipeline.planning.dataset_jobs import prepared_for
from ganbench.pipeline.planning.grid import Grid, component_config, dataset_of
from ganbench.pipeline.tasks import without_locations
from ganbench.pipeline.typed_json import encode
from ganbench.study.choices import Choice

EXTENT = ("steps", "snapshots", "curve_bins")  # training options that do not change what a step does


class RunDigests:
    """The digests of a grid's runs.

    Args:
        grid: the grid.
        prepare: the jobs that prepare its data sets.
        judge: the jobs that fit their judges.
    """

    def __init__(self, grid: Grid, prepare: Jobs, judge: Jobs) -> None:
        self._grid, self._prepare, self._judge = grid, prepare, judge

    @cached_property
    def sources(self) -> dict[tuple[Choice, ...], str]:
        """The digest of the sources that can change a run's training, by the run's components."""
        return {
            choices: engine_digest(
                "train", [info for choice in choices for info in choice.component.with_parts(choice.options)]
            )
            for choices in dict.fromkeys(run.choices for run in self._grid.runs)
        }

    @cached_property
    def trajectories(self) -> dict[str, str]:
        """The digest of each run's training, whatever its number of steps and what is recorded of them, by run."""
        digests = {}
        for run in self._grid.runs:
            config, prepared = run.config, prepared_for(run, self._prepare)
            config["train"] = {name: value for name, value in config["train"].items() if name not in EXTENT}
            stop = stop_config(run, self._grid.study.outcome)
            known = [config, prepared and prepared.digest, self.sources[run.choices]]
            digests[run.id] = digest([*known, *([encode(stop)] if stop else [])])
        return digests

    @cached_property
    def train(self) -> dict[str, str]:
        """The digest of each run's training, by run: of its configuration and of the sources that can change it."""
        extents = {run.id: {name: run.training[name] for name in EXTENT} for run in self._grid.runs}
        return {run: digest([trajectory, extents[run]]) for run, trajectory in self.trajectories.items()}

    @cached_property
    def evaluate(self) -> dict[str, str]:
        """The digest of each run's evaluation, by run that trains networks on data.

        It covers the run's training, the judge, and the metrics with their settings, and so all that their references
        depend on. It covers no null: a change of these scores nothing again.
        """
        inception, measured = self._grid.inception, without_locations(encode(measurement(self._grid)))
        sha256 = inception and inception.sha256
        return {
            run.id: digest([measured, sha256, self.train[run.id], self._judge[dataset_of(run)].digest])
            for run in self._grid.runs
            if run.choice("architecture")
        }


def measurement(grid: Grid) -> dict[str, Any]:
    """The fields of an evaluation task about metrics, which all packs share."""
    evaluate = grid.study.evaluate
    return {
        "metrics": tuple(map(component_config, evaluate.metrics)),
        "samples": evaluate.samples,
        "samples_kept": evaluate.samples_kept,
        "sources": engine_digest("evaluate", [metric.component for metric in evaluate.metrics]),
    }
