"""Finished runs that go on to more steps: a longer run trains the difference to a shorter one, with the same results.

Two runs have the same trajectory if nothing but the number of steps, the snapshots and the bins of the curves tells
them apart. The longer goes on from the last state of the shorter if that has kept all of its snapshots up to there, and
has the same bins. A longer run is checked at other steps: it goes on from no run that was stopped early, nor from one
that would have been at the checks of the longer one. Then it trains from the start, and may be stopped there.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from ganbench.core import registry, result_files, strict_json
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import plural
from ganbench.core.hdf5 import Group
from ganbench.core.recorder import bin_edges, snapshot_steps
from ganbench.core.tree import Tree
from ganbench.pipeline.early_stopping import stop_rule
from ganbench.pipeline.execution.result_cache import group_of
from ganbench.pipeline.tasks import PackMember, TrainTask

SAME = ("device", "torch")  # what a run keeps from its first step to its last, to be one run


@dataclass(frozen=True)
class Shorter:
    """A finished run with the trajectory of a longer one.

    Attributes:
        path: the file that holds it.
        digest: its digest.
        steps: its number of steps.
        fault: why the longer run cannot go on from it, as a clause; None if it can.
    """

    path: Path
    digest: str
    steps: int
    fault: str | None

    @contextmanager
    def opened(self) -> Iterator[Group]:
        """The group of the run's results, while the block lasts.

        Raises:
            GanbenchError: the file is damaged.
        """
        with result_files.open_file(self.path, "train") as file:
            yield group_of(file, self.digest)

    def read(self, name: str) -> Tree:
        """Read a part of the run's results.

        Raises:
            GanbenchError: the file is damaged.
        """
        with self.opened() as group:
            return result_files.read_tree(result_files.descend(group, name))


def shorter_runs(
    folder: Path, tasks: Iterable[TrainTask], *, versions: Mapping[str, Any] | None = None
) -> dict[str, Shorter]:
    """Find finished runs that longer runs go on from, or would go on from but for a fault.

    Args:
        folder: the folder of the results of training.
        tasks: the tasks whose members are the longer runs.
        versions: the device and the versions that they would train with; None if these are not known yet.

    Returns:
        By digest of a longer run, the longest run that it can go on from; if there is none, the longest other one.
    """
    wanted: dict[str, list[tuple[TrainTask, PackMember]]] = defaultdict(list)
    for task in tasks:
        for member in task.members:
            wanted[member.trajectory].append((task, member))
    found: dict[str, Shorter] = {}
    for path in sorted(folder.glob("*.h5")) if wanted else ():
        with suppress(GanbenchError):  # the file is damaged, or of another version
            for digest, trajectory, about in _held(path, wanted.keys()):
                for task, member in wanted[trajectory]:
                    shorter = Shorter(path, digest, about["steps"], _fault(about, task, member, versions))
                    known = found.get(member.digest)
                    if shorter.steps < task.train["steps"] and (known is None or _rank(shorter) > _rank(known)):
                        found[member.digest] = shorter
    return found


def notes(found: Iterable[Shorter]) -> Iterator[str]:
    """Tell what becomes of longer runs, in a sentence for every number of steps and fault."""
    for (steps, fault), count in Counter((each.steps, each.fault) for each in found).items():
        runs = plural(count, "run")
        if fault is None:
            yield f"{runs} to go on from step {steps:,}, where finished runs of fewer steps ended"
        else:
            yield f"{runs} to train from the start, though {steps:,} steps of each are finished: {fault}"


def _rank(shorter: Shorter) -> tuple[bool, int]:
    return shorter.fault is None, shorter.steps


def _held(path: Path, wanted: Set[str]) -> Iterator[tuple[str, str, Tree]]:
    """The runs of a file that have wanted trajectories: digest, trajectory, and how the run was trained."""
    with result_files.open_file(path, "train") as file:
        pack = result_files.read_tree(result_files.descend(file, "pack"))
        for digest, trajectory in zip(pack["members"], pack.get("trajectories", ()), strict=False):
            if trajectory in wanted:
                group = group_of(file, digest)
                member, about = (
                    result_files.read_tree(result_files.descend(group, each)) for each in ("member", "about")
                )
                about |= {"train": member["config"]["train"], "kept": "state" in group}
                about |= {"stopped": group.scalars()["stopped"], "curves": partial(_curves, group)}
                yield digest, trajectory, about


def _curves(group: Group) -> Tree:
    return result_files.read_tree(result_files.descend(group, "curves"))


def _fault(about: Tree, task: TrainTask, member: PackMember, versions: Mapping[str, Any] | None) -> str | None:
    """Why a run cannot go on from a finished one, as a clause; None if it can."""
    shorter, longer, steps = about["train"], task.train, about["steps"]
    if about["stopped"]:
        return "they were stopped early, and longer runs are checked at other steps"
    if not about["kept"]:
        return "their last state was not kept, as it is with train.snapshots.every"
    due = {step for step in snapshot_steps(longer["steps"], **longer["snapshots"]) if step <= steps}
    if lacking := sorted(due.difference(snapshot_steps(steps, **shorter["snapshots"]))):
        return f"they lack the snapshot of step {lacking[0]:,}"
    edges = bin_edges(steps, shorter["curve_bins"], shorter["snapshots"]["every"])[:-1]
    if list(edges) != list(
        bin_edges(longer["steps"], longer["curve_bins"], longer["snapshots"]["every"])[: len(edges)]
    ):
        return f"the bins of their curves up to step {steps:,} are others"
    schedule = task.groups[member.group].components.get("schedule")
    if schedule and not _same_rates(schedule.name, strict_json.dumps(schedule.options), steps, longer["steps"]):
        return f"the schedule {schedule.name} depends on the number of steps"
    for name in SAME if versions else ():
        if about[name] != versions[name]:
            return f"their {name} was {about[name]}, and is {versions[name]} now"
    stop = stop_rule(task.stop, longer, task.groups[member.group].components)
    if stop is not None and stop.stops(about["curves"]()):
        return "longer runs are checked at other steps, at which they would have been stopped"
    return None


@cache
def _same_rates(name: str, options: str, steps: int, more: int) -> bool:
    """Whether a schedule has the same factors in the steps of a shorter and of a longer run."""
    component = registry.find("schedule", name)
    schedule = component.build(component.complete(json.loads(options)))
    return all(schedule.factor(step, steps) == schedule.factor(step, more) for step in range(steps))
