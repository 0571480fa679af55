"""Stage `train`: trains a pack. Members whose results a file of the study holds already are not trained again, and
those of which it holds fewer steps train the difference.

A job that is told to end leaves a checkpoint in `.resume/`, beside the results, from which its next attempt goes on. A
pack that is not fused trains its members one after the other, and keeps each finished member there as well. The folder
is removed when the pack is done.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ganbench.core.formatting import plural
from ganbench.core.tree import Tree
from ganbench.engine import fusing
from ganbench.engine.execution import check_execution
from ganbench.engine.precision import check_precision
from ganbench.pipeline.early_stopping import stop_rule
from ganbench.pipeline.execution import continuing, result_cache
from ganbench.pipeline.execution.checkpoints import Checkpoint, CheckpointSchedule
from ganbench.pipeline.execution.devices import acquire_device
from ganbench.pipeline.execution.instantiation import (
    CPU,
    TrainingSet,
    build_game,
    build_training,
    run_of,
    training_set,
    verify_groups,
)
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.pack_trainer import PackTrainer
from ganbench.pipeline.execution.progress import log
from ganbench.pipeline.execution.provenance import versions
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.tasks import ComponentConfig, FusableGroup, PackMember, TrainTask
from ganbench.pipeline.typed_json import encode
from ganbench.tracking.live import live


def run(job: Job, context: JobContext) -> None:
    """Train the members of a pack that no file holds, and write the results of all members into one file."""
    task = job.task
    verify_groups(task.groups)
    compute = partial(train_new, task, context=context)
    result_cache.complete(job, compute, context, partial(_about, task))
    shutil.rmtree(result_cache.resume_folder(job), ignore_errors=True)


def _about(task: TrainTask, member: PackMember) -> Tree:
    """A run with its components and training options, so that a result file explains itself."""
    components = task.groups[member.group].components
    config = {family: {"name": each.name, **each.options} for family, each in components.items()}
    return {**encode(member), "config": config | {"train": task.train}}


def train_new(
    task: TrainTask, new: list[PackMember], resume: Path, context: JobContext
) -> list[tuple[PackMember, Tree]]:
    """Train members group by group: the members of a group together if the group is fused, otherwise one by one.

    Args:
        task: the task.
        new: the members to train.
        resume: the folder of the pack's checkpoints.
        context: the job's context.

    Returns:
        The members with their results.
    """
    examples, results, steps = training_set(task.prepared), [], task.train["steps"]
    settings = context.settings
    with acquire_device(settings.device) as device, live(settings.server, settings.study) as stream:
        check_precision(task.train["precision"], device)
        check_execution(task.execution, device)
        results_folder, waiting = resume.parent.parent, replace(task, members=tuple(new))
        found = continuing.shorter_runs(results_folder, [waiting], versions=versions(device))
        for note in continuing.notes(found.values()):
            log(note)
        shorter = {key: each for key, each in found.items() if each.fault is None}
        if shorter:
            context.note_copied()
        start = {member.digest: shorter[member.digest].steps if member.digest in shorter else 0 for member in new}
        plans = [
            _GroupPlan.of(task, group, mine, examples, device)
            for number, group in enumerate(task.groups)
            for at in sorted(set(start.values()))  # members that go on from different steps train one after the other
            if (mine := [member for member in new if member.group == number and start[member.digest] == at])
        ]
        reached: dict[str, int] = {}  # the step that each member has reached, by its digest
        for subpack in [subpack for plan in plans for subpack in plan.subpacks]:
            reached |= Checkpoint(resume, subpack, device).reached(steps)
        reached = {key: max(step, start[key]) for key, step in reached.items()}
        schedule = CheckpointSchedule(settings.checkpoint_seconds)
        what, total = f"train {task.pack}", len(task.members) * steps
        before = total - len(new) * steps  # of members whose results a file holds
        with context.progress(what, total, "run-steps", done=before + sum(reached.values())) as show:

            def report(members: Sequence[PackMember], step: int) -> None:
                if any(reached[member.digest] != step for member in members):
                    reached.update((member.digest, step) for member in members)
                    show(before + sum(reached.values()))

            for plan in plans:
                game = build_game(plan.components, task.train, examples, device)
                training, axes = build_training(task.train, plan.components), partial(_axes, task)
                training = replace(training, execution=task.execution)
                stop = stop_rule(task.stop, task.train, plan.components)
                about = {"pack": task.pack, "fused": plan.fused, "fused_why": plan.why, **versions(device)}
                trainer = PackTrainer(
                    game, training, device, resume, context, schedule, report, stream, axes, shorter, stop, about
                )
                how = "fused" if plan.fused else "one by one"
                log(f"{plural(plan.count, 'run')}, {how}: {plan.why}; on {device}")
                for subpack in plan.subpacks:
                    for member, tree in trainer.train(subpack):
                        # Members that were finished before their checkpoints had all of it get the rest from here.
                        results.append((member, {**tree, "about": {**about, **tree["about"]}}))
    return results


@dataclass(frozen=True)
class _GroupPlan:
    """A group to train: its components, and which of its members train together."""

    components: dict[str, ComponentConfig]
    subpacks: list[list[PackMember]]
    fused: bool
    why: str

    @classmethod
    def of(
        cls,
        task: TrainTask,
        group: FusableGroup,
        members: list[PackMember],
        examples: TrainingSet | None,
        device: torch.device,
    ) -> _GroupPlan:
        # Built on the CPU, since the device has to hold the examples of one group at a time.
        game = build_game(group.components, task.train, examples, CPU)
        fused, why = fusing.decide(task.fuse, game, len(members), device)
        return cls(group.components, [members] if fused else [[member] for member in members], fused, why)

    @property
    def count(self) -> int:
        return sum(len(subpack) for subpack in self.subpacks)


def _axes(task: TrainTask, member: PackMember) -> dict[str, Any]:
    """A run's values of the grid's axes, as the tables show them."""
    return run_of(task, member).axes
