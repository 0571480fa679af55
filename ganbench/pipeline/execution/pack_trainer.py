"""Training the members of a pack that share their components, through interruptions and with the memory there is.

A subpack is what trains together. One that does not fit into memory is split, and its parts go on from where it stood;
its checkpoint then says so, so that a job that was interrupted goes straight to the parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganbench.core.formatting import plural
from ganbench.core.tree import Tree
from ganbench.engine import subpacks
from ganbench.engine.out_of_memory import OutOfMemory
from ganbench.engine.train import Training, TrainingProgress, part_of, train
from ganbench.games import Game
from ganbench.pipeline.execution.checkpoints import LATER, Checkpoint, CheckpointSchedule, size
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.progress import log
from ganbench.pipeline.execution.timestamps import now
from ganbench.pipeline.tasks import PackMember
from ganbench.tracking.live import Live


@dataclass(frozen=True)
class PackTrainer:
    """Trains members of a pack that share their components.

    Args:
        game, training: What the members play, and how.
        device: The device that they train on.
        folder: The folder of the checkpoints.
        context: The job's context.
        schedule: When the job writes checkpoints.
        report: Called at every chunk with the members of a subpack and the step that they have reached.
        stream: Where curves go while members train.
        axes: What is told of a member there.
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

    def train(self, members: Sequence[PackMember], *, measured: bool = False) -> list[tuple[PackMember, Tree]]:
        """Train members together where they fit into memory, and in parts where they do not.

        Args:
            members: The members.
            measured: Whether they are as many as should fit.

        Returns:
            The members with their results, in their order.

        Raises:
            Stopped: The job was told to end, or its time is over.
            GanbenchError: A single run does not fit into memory.
        """
        checkpoint = Checkpoint(self.folder, members, self.device)
        saved = checkpoint.read()
        if "done" in saved:
            return [(member, saved["done"][str(k)]) for k, member in enumerate(members)]
        sizes = saved.get("split")
        if sizes is None and not saved and not measured:
            sizes = self._measured_sizes(checkpoint)
        if sizes is None:
            began = time.monotonic() - saved.get("seconds", 0.0)
            try:
                return self._train_subpack(checkpoint, saved, began)
            except OutOfMemory as error:
                sizes = self._split(checkpoint, error, time.monotonic() - began)
            # Only here is the error gone, and with it what it held of the subpack.
            del saved
            subpacks.release(self.device)
        return [pair for part in checkpoint.split(sizes) for pair in self.train(part.members, measured=True)]

    def _train_subpack(self, checkpoint: Checkpoint, saved: Tree, began: float) -> list[tuple[PackMember, Tree]]:
        """Train members together, from their checkpoint if they have one; leaves their results there."""
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
                    schedule.expect(size(progress.state()))
                then = f"checkpoint at step {progress.step:,}; the next attempt goes on from there"
                schedule.save_or_stop(stopping, lambda: save(progress), then)
            schedule.begin()

        with stopping.deferred():
            schedule.begin()
            how = {"device": self.device, "resume": saved.get("state"), "at_chunk": at_chunk}
            trees = train(self.game, self.training, members, **how)
            self.report(members, steps)
            share = (time.monotonic() - began) / len(members)
            sizes = [int(trees[0]["snapshots"][player].shape[1]) for player in self.game.players]
            about = {"trained_at": now(), "train_seconds": share, "together": len(members)}
            about |= {"steps": steps, "parameters": sizes}
            trees = [{**tree, "about": about} for tree in trees]
            checkpoint.save(done={str(k): tree for k, tree in enumerate(trees)})
        return list(zip(members, trees, strict=True))

    def _stream(self, members: Sequence[PackMember], progress: TrainingProgress) -> None:
        if self.stream.due():
            for k in progress.alive:
                self.stream.send(members[k].id, self.axes(members[k]), progress.curves(k))

    def _measured_sizes(self, checkpoint: Checkpoint) -> list[int] | None:
        """Sizes of the subpacks in which the members will fit into memory; None if they all do at once."""
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
        """Have the two halves of a subpack go on from where memory ran out.

        Returns:
            Their sizes.

        Raises:
            GanbenchError: One run is all that is left of it.
        """
        members, state = checkpoint.members, error.state
        sizes = subpacks.halved_sizes(len(members), state)
        where = "memory ran out " + (f"after step {state['step']:,}" if state else "before the first step")
        with self.context.stopping.deferred():
            if len(sizes) == 1:
                if state is not None:
                    checkpoint.save(state=state, seconds=seconds)
                alone = members[state["alive"][0] if state else 0]
                smaller = "take a smaller train.batch_size or architecture"
                raise subpacks.does_not_fit(alone.id, where, error.cause, self.device, smaller) from None
            log(f"{where} of {plural(len(members), 'run')} ({error.cause}); they go on as {_sum(sizes)}")
            first = 0
            for part in checkpoint.split(sizes) if state is not None else []:
                its = range(first, first := first + len(part.members))
                part.save(state=part_of(state, its), seconds=seconds * len(its) / len(members))
            checkpoint.save(split=sizes)  # last: until then its own state is what counts
        return sizes


def _sum(sizes: Sequence[int]) -> str:
    return " + ".join(map(str, sizes))
