"""Finished runs that go on to more steps: a longer run trains the difference to a shorter one, with the same results.

Two runs have the same trajectory if nothing but the number of steps, the snapshots and the bins of the curves tells
them apart. The longer goes on from the last state of the shorter if it would have had the same snapshots and bins up to
there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ganbench.core import registry, result_files, strict_json
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import plural
from ganbench.core.recorder import bin_edges, snapshot_steps
from ganbench.core.tree import Tree
from ganbench.pipeline.execution.result_cache import group_of
from ganbench.pipeline.tasks import ComponentConfig, PackMember, TrainTask

SAME = ("device", "torch")  # what a run keeps from its first step to its last, to be one run


@dataclass(frozen=True)
class Shorter:
    """A finished run with the trajectory of a longer one.

    Attributes:
        path: The file that holds it.
        digest: Its digest.
        steps: Its number of steps.
        fault: Why the longer run cannot go on from it, as a clause; None if it can.
    """

    path: Path
    digest: str
    steps: int
    fault: str | None

    def read(self) -> Tree:
        """Read the run's results.

        Raises:
            GanbenchError: The file is damaged.
        """
        with result_files.open_file(self.path, "train") as file:
            return result_files.read_tree(group_of(file, self.digest))


def shorter_runs(
    folder: Path, task: TrainTask, members: Iterable[PackMember], versions: Mapping[str, Any] | None = None
) -> dict[str, Shorter]:
    """Find finished runs that longer runs go on from, or would go on from but for a fault.

    Args:
        folder: The folder of the results of training.
        task: The task of the longer runs.
        members: The longer runs.
        versions: The device and the versions that they would train with; None if these are not known yet.

    Returns:
        By digest of a longer run, the longest run that it can go on from; if there is none, the longest other one.
    """
    wanted = {member.trajectory: member for member in members if member.trajectory}
    found: dict[str, Shorter] = {}
    for path in sorted(folder.glob("*.h5")) if wanted else ():
        try:
            for digest, trajectory, about in _held(path, wanted):
                member = wanted[trajectory]
                train = about["member"]["config"]["train"]
                if train["steps"] >= task.train["steps"]:
                    continue
                schedule = task.groups[member.group].components.get("schedule")
                fault = _fault(train, task.train, schedule, about, versions)
                shorter = Shorter(path, digest, train["steps"], fault)
                known = found.get(member.digest)
                if known is None or _rank(shorter) > _rank(known):
                    found[member.digest] = shorter
        except GanbenchError:  # damaged, or of another version
            continue
    return found


def notes(task: TrainTask, found: Iterable[Shorter]) -> Iterator[str]:
    """Tell what becomes of longer runs, in a sentence for every number of steps and fault."""
    counts: dict[tuple[int, str | None], int] = {}
    for shorter in found:
        key = shorter.steps, shorter.fault
        counts[key] = counts.get(key, 0) + 1
    for (steps, fault), count in counts.items():
        runs = plural(count, "run")
        if fault is None:
            yield f"{runs} to go on from step {steps:,} of {task.train['steps']:,}, as finished runs left them"
        else:
            yield f"{runs} to train from the start, though {steps:,} steps are finished: {fault}"


def _rank(shorter: Shorter) -> tuple[bool, int]:
    return shorter.fault is None, shorter.steps


def _held(path: Path, wanted: Mapping[str, PackMember]) -> Iterator[tuple[str, str, Tree]]:
    """The runs of a file that have wanted trajectories: digest, trajectory, and what the file says about the run."""
    with result_files.open_file(path, "train") as file:
        pack = result_files.read_tree(result_files.descend(file, "pack"))
        for digest, trajectory in zip(pack["members"], pack.get("trajectories", ()), strict=False):
            if trajectory in wanted:
                group = group_of(file, digest)
                about = {
                    name: result_files.read_tree(result_files.descend(group, name)) for name in ("member", "about")
                }
                yield digest, trajectory, about | {"kept": "state" in group}


def _fault(
    shorter: dict[str, Any],
    longer: dict[str, Any],
    schedule: ComponentConfig | None,
    about: Tree,
    versions: Mapping[str, Any] | None,
) -> str | None:
    steps, more = shorter["steps"], longer["steps"]
    if not about["kept"]:
        return "the last state of training was not kept, as it is with train.snapshots.every"
    due = [step for step in snapshot_steps(more, **longer["snapshots"]) if step <= steps]
    if due != list(snapshot_steps(steps, **shorter["snapshots"])):
        return f"the snapshots up to step {steps:,} are others (steps that train.snapshots.every divides go on)"
    edges = bin_edges(steps, shorter["curve_bins"], shorter["snapshots"]["every"])
    if list(edges[:-1]) != list(bin_edges(more, longer["curve_bins"], longer["snapshots"]["every"])[: len(edges) - 1]):
        return f"the bins of the curves up to step {steps:,} are others"
    if schedule and not _same_rates(schedule.name, strict_json.dumps(schedule.options), steps, more):
        return f"the schedule {schedule.name} changes learning rates with the number of steps"
    for name in SAME if versions else ():
        if about["about"][name] != versions[name]:
            return f"its {name} was {about['about'][name]} and would be {versions[name]}"
    return None


@cache
def _same_rates(name: str, options: str, steps: int, more: int) -> bool:
    """Whether a schedule has the same factors in the steps of a shorter and of a longer run."""
    component = registry.find("schedule", name)
    schedule = component.build(component.complete(json.loads(options)))
    return all(schedule.factor(step, steps) == schedule.factor(step, more) for step in range(steps))
