"""A part of `collect`: the scores of real examples, and the measurements of experiments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import pandas as pd

from ganbench.analysis.columns import MEASUREMENTS
from ganbench.core import result_files
from ganbench.core.metric_info import MetricInfo
from ganbench.core.pixels import floats
from ganbench.core.tree import Tree
from ganbench.engine.evaluate import MOST, reference_examples
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.instantiation import CPU, build, build_game, examples
from ganbench.pipeline.execution.provenance import computed_on
from ganbench.pipeline.jobs import CollectTask
from ganbench.pipeline.stages.evaluate import scorer_of
from ganbench.pipeline.tasks import DiagnoseTask, EvaluateTask, Observation
from ganbench.study.choices import Choice


def origin_of(kept: Tree | None) -> str | None:
    """What results were computed on, in words; None if that was not recorded."""
    return computed_on(kept["about"]) if kept and "about" in kept else None


def references(
    task: CollectTask, metrics: dict[str, MetricInfo], real: h5py.Group
) -> tuple[pd.DataFrame, dict[str, str | None]]:
    """Score held-out examples against training examples.

    Args:
        task: The task of `collect`.
        metrics: The metrics by name.
        real: The HDF5 group to write some held-out examples of each data set to.

    Returns:
        The table of scores and judge accuracies, and what the judge of each data set was fitted on, in words.
    """
    rows, judges = [], {}
    seen: dict[str, EvaluateTask] = {}
    for job in task.of("evaluate"):
        named = job.task.groups[0].components["dataset"]
        choice = Choice(family="dataset", name=named.name, options=named.options, label=named.label)
        seen.setdefault(choice.text, job.task)  # as tables show it
    for dataset, evaluate in seen.items():
        known = examples(evaluate.prepared)
        heldout = known.heldout[:MOST]
        judge = Choice(family="judge", name=evaluate.judge.name, options=evaluate.judge.options).signature
        count = len(reference_examples(known.train))
        how = f"{len(heldout):,} held-out against {count:,} training examples, by {judge}"
        scores = scorer_of(evaluate).score(heldout)
        rows += [(dataset, name, scores[name], how) for name in metrics if name in scores]
        with result_files.open_file(evaluate.fitted, "judge") as file:
            kept = {
                name: result_files.read_tree(result_files.descend(file, name))
                for name in ("state", "about")
                if name in file
            }
        judges[dataset] = origin_of(kept)
        if "accuracy" in kept["state"]:  # of a judge that tells modes apart
            accuracy = kept["state"]["accuracy"]
            rows.append((dataset, "judge_accuracy", accuracy, f"on {len(known.heldout):,} held-out examples"))
        result_files.write_tree(real, {dataset: floats(heldout[:512])})
    return pd.DataFrame(rows, columns=["dataset", "quantity", "value", "how"]), judges


def measurements(task: CollectTask, arrays: Path) -> tuple[pd.DataFrame, dict[str, MetricInfo], dict[str, set[str]]]:
    """Gather the results of experiments.

    Args:
        task: The task of `collect`.
        arrays: The file to write the arrays of the results to.

    Returns:
        The table of numbers, one row per run and number; the meanings of the numbers; and, by run, what the results
        were computed on, in words.
    """
    rows, infos, origins = [], {}, {}
    with result_files.create_file(arrays, "arrays") as file:
        for job in task.of("diagnose"):
            with result_files.open_file(job.path, "diagnose") as kept:
                for each in _observations(job.task):
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
            infos |= _meanings(job.task)
    table = pd.DataFrame(rows, columns=list(MEASUREMENTS)).astype({"run": str, "quantity": str, "value": float})
    return table, infos, origins


def _observations(task: DiagnoseTask) -> Iterator[Observation]:
    """The observations of a job, with the members that the file of training lists."""
    if task.trained:
        with result_files.open_file(task.trained, "train") as file:
            task = replace(task, members=tuple(result_cache.members_of(file)))
    return task.observations


def _meanings(task: DiagnoseTask) -> dict[str, MetricInfo]:
    """The meanings of the numbers that a job's experiments measure."""
    infos = {}
    games = [build_game(group.components, task.train, None, CPU) for group in task.groups] or [None]
    for name, config in task.experiments.items():
        diagnostic = build("diagnostic", config.diagnostic)
        for game in games:
            if game is None or diagnostic.supports(game) is None:
                infos |= {f"{name}.{column}": info for column, info in diagnostic.columns(game).items()}
    return infos
