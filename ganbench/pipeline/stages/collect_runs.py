"""The results of runs as the stage `collect` reads them, one after the other, and tables that grow by their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ganbench.core import result_files
from ganbench.core.deterministic_linalg import norm
from ganbench.core.tree import Tree
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.instantiation import runs_of
from ganbench.pipeline.jobs import CollectTask, Job
from ganbench.pipeline.tasks import PackMember
from ganbench.study.runs import Run

SCORES = ("step", "metrics", "samples", "mode_shares", "about")  # what is read of a run's evaluation


@dataclass(frozen=True)
class RunResults:
    """The results of a run from the stages `train` and `evaluate`."""

    run: Run
    trained: Tree  # results of training, without the networks
    evaluated: Tree | None  # results of evaluation; None for a run that is not evaluated


def count_runs(task: CollectTask) -> int:
    """The number of runs in the files of training."""
    total = 0
    for job in task.of("train"):
        with result_files.open_file(job.path, "train") as file:
            total += len(result_cache.digests_of(file))
    return total


def runs_of_pack(task: CollectTask, job: Job, held: Sequence[PackMember]) -> dict[int, Run]:
    """The runs of a pack by their indices in its files, in the order of the grid, called as the study calls them now.

    Args:
        task: the task.
        job: a job of the pack.
        held: the members that the pack's file of training holds.
    """
    called = [(index, alike) for alike in task.runs[job.name] for index in alike.members]
    members = [
        replace(held[index], method=alike.method, block=alike.block, variant=alike.variant) for index, alike in called
    ]
    return {index: run for (index, _), run in zip(called, runs_of(job.task, members), strict=True)}


def results_of(task: CollectTask) -> Iterator[RunResults]:
    """Every run that the files of training hold, pack by pack."""
    evaluate = {job.name: job for job in task.of("evaluate")}
    for train in task.of("train"):
        with ExitStack() as files:
            trained = files.enter_context(result_files.open_file(train.path, "train"))
            judged = scored = None
            if job := evaluate.get(train.name):
                judged = files.enter_context(result_files.open_file(job.path, "evaluate"))
                scored = result_cache.digests_of(judged)  # of the same members in the same order
            members = result_cache.members_of(trained)
            for index, run in runs_of_pack(task, train, members).items():
                member = members[index]
                group = result_cache.group_of(trained, member.digest)
                ended = group.scalars()
                kept = {key: result_files.read_tree(result_files.descend(group, key)) for key in ("curves", "about")}
                kept |= {key: ended[key] for key in ("diverged", "stopped", "steps_done")}
                kept |= {
                    "initial_norms": _initial_norms(result_files.descend(group, "snapshots")),
                    "digest": member.digest,
                }
                seen = judged and _read(result_cache.group_of(judged, scored[index]), SCORES)
                yield RunResults(run, kept, seen)


def _initial_norms(snapshots: result_files.Group) -> dict[str, float]:
    """The norm of each player's initial parameters, against which their growth is measured."""
    return {player: norm(result_files.descend(snapshots, player)[0]) for player in snapshots if player != "step"}


def _read(group: result_files.Group, names: Sequence[str]) -> Tree:
    """The groups and arrays of a group that are there, by name."""
    items = {name: item for name in names if (item := group.get(name)) is not None}
    return {
        name: result_files.read_tree(item) if isinstance(item, result_files.Group) else item[:]
        for name, item in items.items()
    }


class Parts:
    """A table that grows by the rows of one run after the other.

    It holds arrays until it is complete: a study may have many thousand runs, and a data frame takes more time and
    memory than the few rows in it.
    """

    def __init__(self) -> None:
        self._parts: list[dict[str, np.ndarray]] = []
        self._runs: list[str] = []

    def add(self, run: str, columns: Mapping[str, np.ndarray]) -> None:
        """Add the rows of a run.

        Args:
            run: the run.
            columns: the columns of its rows by name, without `run`; texts as objects.
        """
        self._parts.append(dict(columns))
        self._runs.append(run)

    def table(self, names: Sequence[str]) -> pd.DataFrame:
        """All rows, which leave the parts column by column: twice the rows of many thousand runs are gigabytes.

        Args:
            names: the columns of the table, `run` among them.
        """
        runs = np.repeat(np.array(self._runs, dtype=object), [len(next(iter(part.values()))) for part in self._parts])
        columns = {}
        for name in names:
            values = runs if name == "run" else np.concatenate([part.pop(name) for part in self._parts])
            columns[name] = pd.Series(values, dtype=str) if values.dtype == object else values
        return pd.DataFrame(columns, copy=False)
