"""Training of the members of a pack that share their components, through interruptions and within limited memory.

The members of a subpack train together. A subpack that does not fit into memory is split, and its parts go on from its
state. Its checkpoint records the split, so that the next attempt of an interrupted job starts with the parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ganbench.core.formatting import plural
from ganbench.core.tree import Tree
from ganbench.engine import subpacks
from ganbench.engine.continuing import joined_state
from ganbench.engine.out_of_memory import OutOfMemory
from ganbench.engine.records import EarlyStop
from ganbench.engine.resuming import part_of
from ganbench.engine.train import Training, TrainingProgress, train
from ganbench.games import Game
from ganbench.pipeline.execution.checkpoints import LATER, Checkpoint, CheckpointSchedule, size
from ganbench.pipeline.execution.continuing import Shorter
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.progress import log
from ganbench.pipeline.execution.snapshot_files import START
from ganbench.pipeline.execution.timestamps import now
from ganbench.pipeline.tasks import PackMember
from ganbench.tracking.live import Live


@dataclass(frozen=True)
class PackTrainer:
    """Trains members of a pack that share their components.

    Args:
        game: the game of the members.
        training: the training of the members.
        device: the device that the members train on.
        folder: the folder of the checkpoints.
        context: the job's context.
        schedule: the schedule of the job's checkpoints.
        report: called after every chunk with the members of a subpack and the step that they have reached.
        stream: the MLflow server that curves are sent to while members train.
        axes: a function from a member to the values of the grid's axes, which are sent with its curves.
        shorter: finished runs that members go on from, by the members' digests.
        stop: the rule that stops members early; None for none.
        about: what is recorded of every member that this attempt finishes, such as the device and the versions. A
            member that an earlier attempt finished keeps that attempt's record.
    """

    game: Game
    training: Training
    device: torch.device
    folder: Path
    context: JobContext
    schedule: CheckpointSchedule
    report: Callable[[Sequence[PackMember], int], None]
    stream: Live
    axes: Callable[[PackMember], dict[str, Any]]
    shorter: Mapping[str, Shorter] = field(default_factory=dict)
    stop: EarlyStop | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def train(self, members: Sequence[PackMember], *, measured: bool = False) -> list[tuple[PackMember, Tree]]:
        """Train members together if they fit into memory, otherwise in parts.

        Args:
            members: the members.
            measured: whether the members are known to fit into memory together, by measurement.

        Returns:
            The members with their results, in their order.

        Raises:
            Stopped: the job was told to end, or its time is over.
            GanbenchError: a single run does not fit into memory.
        """
        checkpoint = Checkpoint(self.folder, members, self.device)
        saved = checkpoint.read()
        if "done" in saved:
            return _results(checkpoint, saved["done"])
        sizes = saved.get("split")
        if sizes is None and not saved and not measured:
            sizes = self._measured_sizes(checkpoint)
        if sizes is None:
            began = time.monotonic() - saved.get("seconds", 0.0)
            try:
                return self._train_subpack(checkpoint, saved, began)
            except OutOfMemory as error:
                sizes = self._split(checkpoint, error, time.monotonic() - began)
            # The error, which refers to the subpack's tensors, no longer exists here, so memory can be released.
            del saved
            subpacks.release(self.device)
        return [pair for part in checkpoint.split(sizes) for pair in self.train(part.members, measured=True)]

    def _train_subpack(self, checkpoint: Checkpoint, saved: Tree, began: float) -> list[tuple[PackMember, Tree]]:
        """Train members together, from their checkpoint if there is one, and write their results to the checkpoint."""
        stopping, schedule = self.context.stopping, self.schedule
        members, steps = checkpoint.members, self.training.steps
        if why := stopping.reason(schedule.margin):
            raise stopping.stop(why, LATER)
        if saved:
            step, at = saved["state"]["step"], saved["at"]
            log(f"{plural(len(members), 'run')}: goes on from step {step:,} of {steps:,} (checkpoint of {at})")

        def save(progress: TrainingProgress) -> None:
            checkpoint.save(state=progress.state(), seconds=time.monotonic() - began)

        def at_chunk(progress: TrainingProgress) -> None:
            schedule.end()
            self.report(members, progress.step)
            if progress.alive and progress.step < steps:
                self._stream(members, progress)
                if schedule.new:
                    schedule.expect(size(progress.state()) + checkpoint.snapshots.waiting_bytes)
                then = f"checkpoint at step {progress.step:,}; the next attempt goes on from there"
                schedule.save_or_stop(stopping, lambda: save(progress), then)
            schedule.begin()

        with stopping.deferred():
            schedule.begin()
            finished = [self.shorter[member.digest] for member in members if member.digest in self.shorter]
            before = [each.read("about")["train_seconds"] for each in finished] or [0.0] * len(members)
            snapshots, resume = checkpoint.snapshots, saved.get("state")
            snapshots.discard_after(resume["step"] if resume else START)
            if finished and not resume:
                kept = snapshots.copy_from(finished, self.training.snapshots)
                resume = joined_state([each.read("state") for each in finished], kept)
            how = {"device": self.device, "resume": resume, "at_chunk": at_chunk, "store": snapshots, "stop": self.stop}
            trees = train(self.game, self.training, members, **how)
            for member, tree in zip(members, trees, strict=True):
                if tree["stopped"]:
                    step, outcome, _, evidence, _ = tree["stopped"]
                    log(f"{member.id}: stopped early after step {step:,}: {outcome}, since {evidence}")
            self.report(members, steps)
            share = (time.monotonic() - began) / len(members)
            sizes = list(self.game.sizes.values())
            about = {**self.about, "trained_at": now(), "together": len(members), "steps": steps, "parameters": sizes}
            at = finished[0].steps if finished else 0
            done = {
                str(k): {
                    **tree,
                    "about": tree["about"] | about | {"train_seconds": seconds + share, "continued_from": at},
                }
                for k, (tree, seconds) in enumerate(zip(trees, before, strict=True))
            }
            checkpoint.save(done=done)
        return _results(checkpoint, done)

    def _stream(self, members: Sequence[PackMember], progress: TrainingProgress) -> None:
        if self.stream.due():
            for k in progress.alive:
                self.stream.send(members[k].id, self.axes(members[k]), progress.curves(k))

    def _measured_sizes(self, checkpoint: Checkpoint) -> list[int] | None:
        """The sizes of subpacks that fit into memory; None if all members fit together."""
        members = checkpoint.members
        memory = subpacks.device_memory(self.device)
        most, why = subpacks.largest_subpack(self.game, self.training, members, self.device, memory)
        if most >= len(members):
            return None
        sizes = subpacks.even_sizes(len(members), most)
        log(f"{plural(len(members), 'run')} in subpacks of {_sum(sizes)}: {why}")
        checkpoint.save(split=sizes)
        return sizes

    def _split(self, checkpoint: Checkpoint, error: OutOfMemory, seconds: float) -> list[int]:
        """Split a subpack in two halves that go on from the step at which memory ran out.

        Returns:
            The sizes of the halves.

        Raises:
            GanbenchError: the subpack has a single run.
        """
        members, state = checkpoint.members, error.state
        sizes = subpacks.halved_sizes(len(members), state)
        where = "memory ran out " + (f"after step {state['step']:,}" if state else "before the first step")
        with self.context.stopping.deferred():
            if len(sizes) == 1:
                if state is not None:
                    checkpoint.save(state=state, seconds=seconds)
                alone = members[state["alive"][0] if state else 0]
                smaller = "take a larger train.accumulation_steps, or a smaller train.batch_size or architecture"
                raise subpacks.does_not_fit(alone.id, where, error.cause, self.device, smaller) from None
            log(f"{where} of {plural(len(members), 'run')} ({error.cause}); they go on as {_sum(sizes)}")
            first = 0
            for part in checkpoint.split(sizes) if state is not None else []:
                indices = range(first, first := first + len(part.members))
                part.save(state=part_of(state, indices), seconds=seconds * len(indices) / len(members))
            checkpoint.save(split=sizes)  # last, so that an interrupted split is repeated from the whole state
        return sizes


def _results(checkpoint: Checkpoint, done: Tree) -> list[tuple[PackMember, Tree]]:
    """The members of a subpack with their results, whose snapshots stay in files."""
    return [(member, checkpoint.snapshots.complete(k, done[str(k)])) for k, member in enumerate(checkpoint.members)]


def _sum(sizes: Sequence[int]) -> str:
    return " + ".join(map(str, sizes))
