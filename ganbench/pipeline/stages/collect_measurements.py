"""A part of `collect`: the scores of real examples, and the measurements of experiments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from ganbench.analysis.columns import MEASUREMENTS, NULLS, REFERENCES
from ganbench.core import result_files
from ganbench.core.metric_info import MetricInfo, base_of
from ganbench.core.tree import Tree
from ganbench.pipeline.execution import reference_files, result_cache
from ganbench.pipeline.execution.instantiation import CPU, build, build_game
from ganbench.pipeline.execution.provenance import computed_on
from ganbench.pipeline.jobs import CollectTask, Job
from ganbench.pipeline.stages.collect_comparisons import Comparisons
from ganbench.pipeline.stages.collect_runs import runs_of_pack
from ganbench.pipeline.tasks import DiagnoseTask, EvaluateTask, Observation
from ganbench.study.choices import Choice

Intervals = dict[str, tuple[float, float]]  # by metric: what real examples score

NULL_TYPES = {"samples": "Int64", "examples": "Int64", "draws": "Int64"}  # nullable integers


def origin_of(kept: Tree | None) -> str | None:
    """What results were computed on, in words; None if that was not recorded."""
    return computed_on(kept["about"]) if kept and "about" in kept else None


@dataclass(frozen=True)
class RealScores:
    """What was measured on the real examples of a study's data sets.

    Attributes:
        references: a table with the columns REFERENCES.
        nulls: a table with the columns NULLS.
        judges: what the judge of each data set was fitted on, in words.
        mode_shares: by data set whose judge tells modes apart, their shares in the training examples, (modes,).
    """

    references: pd.DataFrame
    nulls: pd.DataFrame
    judges: dict[str, str | None]
    mode_shares: dict[str, np.ndarray]

    @property
    def noise(self) -> dict[str, dict[str, float]]:
        """What noise scores, by data set and metric."""
        return {
            dataset: dict(zip(rows["metric"], rows["noise"], strict=True))
            for dataset, rows in self.nulls.groupby("dataset")
        }

    @property
    def intervals(self) -> dict[str, Intervals]:
        """The nulls by data set and metric."""
        found: dict[str, Intervals] = {}
        for row in self.nulls.dropna(subset=["low", "high"]).itertuples():
            found.setdefault(row.dataset, {})[row.metric] = (row.low, row.high)
        return found


def real_scores(task: CollectTask, metrics: dict[str, MetricInfo], real: h5py.Group) -> RealScores:
    """Gather the nulls of metrics and the accuracies of judges.

    Args:
        task: the task of `collect`.
        metrics: the metrics by name.
        real: the HDF5 group to write some held-out examples of each data set to.
    """
    rows, nulls, judges, shares = [], [], {}, {}
    seen: dict[str, EvaluateTask] = {}
    for job in task.of("evaluate"):
        named = job.task.groups[0].components["dataset"]
        choice = Choice(family="dataset", name=named.name, options=named.options, label=named.label)
        seen.setdefault(choice.text, job.task)  # as tables show it
    for dataset, evaluate in seen.items():
        judge = Choice(family="judge", name=evaluate.judge.name, options=evaluate.judge.options).signature
        kept = reference_files.read(evaluate.reference)
        if kept.mode_shares is not None:
            shares[dataset] = kept.mode_shares
        for name in metrics:
            if null := kept.nulls.get(base_of(name)):
                nulls.append({"dataset": dataset, "metric": name, **asdict(null)})
                if null.draws:  # none where the real examples are too few
                    rows.append((dataset, name, null.mean, f"{null.sampling}, by {judge}"))
        with result_files.open_file(evaluate.fitted, "judge") as file:
            fitted = {
                name: result_files.read_tree(result_files.descend(file, name))
                for name in ("state", "about")
                if name in file
            }
        judges[dataset] = origin_of(fitted)
        if "accuracy" in fitted["state"]:  # of a judge that tells modes apart
            rows.append((dataset, "judge_accuracy", fitted["state"]["accuracy"], "on all held-out examples"))
        result_files.write_tree(real, {dataset: kept.shown})
    return RealScores(
        pd.DataFrame(rows, columns=list(REFERENCES)),
        pd.DataFrame(nulls, columns=list(NULLS)).astype(NULL_TYPES),
        judges,
        shares,
    )


def measurements(task: CollectTask, arrays: Path) -> tuple[pd.DataFrame, dict[str, MetricInfo], dict[str, set[str]]]:
    """Gather the results of experiments.

    Args:
        task: the task of `collect`.
        arrays: the file to write the arrays of the results to.

    Returns:
        The table of numbers, one row per run and number; the meanings of the numbers; and, by run, what the results
        were computed on, in words.
    """
    rows, infos, origins, compared = [], {}, {}, Comparisons()
    with result_files.create_file(arrays, "arrays") as file:
        for job in task.of("diagnose"):
            with result_files.open_file(job.path, "diagnose") as kept:
                for each in _observations(task, job):
                    tree = result_files.read_tree(result_cache.group_of(kept, each.digest))
                    experiment, run = each.experiment, each.run
                    numbers = zip(tree["columns"], tree["values"], strict=True)
                    rows += [(run, f"{experiment}.{name}", value) for name, value in numbers]
                    if origin := origin_of(tree):
                        origins.setdefault(run, set()).add(origin)
                    if tree["arrays"]:
                        result_files.write_tree(
                            file.require_group(experiment).create_group(run or "study"), tree["arrays"]
                        )
                        compared.add(job.task, each, tree["arrays"])
            infos |= _meanings(job.task)
    rows += compared.rows()
    table = pd.DataFrame(rows, columns=list(MEASUREMENTS)).astype({"run": str, "quantity": str, "value": float})
    return table, infos, origins


def _observations(task: CollectTask, job: Job) -> Iterator[Observation]:
    """The observations of a job, of the members that the file of training lists, called as the study calls them now."""
    if job.task.trained is None:
        return job.task.observations
    with result_files.open_file(job.task.trained, "train") as file:
        held = result_cache.members_of(file)
    runs = runs_of_pack(task, job, held)
    members = tuple(replace(member, id=runs[index].id) for index, member in enumerate(held))
    return replace(job.task, members=members).observations


def _meanings(task: DiagnoseTask) -> dict[str, MetricInfo]:
    """The meanings of the numbers that a job's experiments measure."""
    infos = {}
    games = [build_game(group.components, task.train, None, CPU) for group in task.groups] or [None]
    for name, config in task.experiments.items():
        diagnostic = build("diagnostic", config.diagnostic)
        for game in games:
            if game is None or diagnostic.unsupported(game) is None:
                columns = diagnostic.columns(game) | ({} if game is None else diagnostic.compared(game))
                infos |= {f"{name}.{column}": info for column, info in columns.items()}
    return infos
