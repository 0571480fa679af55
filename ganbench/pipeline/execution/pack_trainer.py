"""Training a team, the members of a pack that share their parts, through interruptions and with the memory there is.

What trains together is a wave. A wave that does not fit into memory is split, and its parts go on from where it stood;
its checkpoint then says so, so that a job that was interrupted goes straight to the parts.
"""

from __future__ import annotations

import sys
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
from ganbench.games import Game, Member
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.checkpoints import LATER, Checkpoint, CheckpointSchedule, size
from ganbench.pipeline.execution.job_context import Work
from ganbench.pipeline.execution.provenance import now
from ganbench.tracking.live import Live


@dataclass(frozen=True)
class Team:
    """How a team trains.

    Args:
        rules, training: what its members play, and how.
        place: where they train.
        folder: of the checkpoints.
        work: the job's surroundings.
        pace: of the job.
        reached: told at every chunk which members stand at which step.
        stream, axes: where curves go while members train, and what is told of a member there.
    """

    game: Game
    training: Training
    place: torch.device
    folder: Path
    work: Work
    pace: CheckpointSchedule
    reached: Callable[[Sequence[result_cache.Member], int], None]
    stream: Live
    axes: Callable[[result_cache.Member], dict[str, Any]]

    def train(
        self, members: Sequence[result_cache.Member], *, measured: bool = False
    ) -> list[tuple[result_cache.Member, Tree]]:
        """Train members together where they fit into memory, and in parts where they do not.

        Args:
            members: who trains.
            measured: whether they are as many as should fit.

        Returns:
            the members with their results, in their order.

        Raises:
            Stopped: the job was told to end, or its time is over.
            GanbenchError: a single run does not fit into memory.
        """
        checkpoint = Checkpoint(self.folder, members, self.place)
        saved = checkpoint.read()
        if "done" in saved:
            return [(member, saved["done"][str(k)]) for k, member in enumerate(members)]
        sizes = saved.get("split")
        if sizes is None and not saved and not measured:
            sizes = self._measured(checkpoint)
        if sizes is None:
            began = time.monotonic() - saved.get("seconds", 0.0)
            try:
                return self._wave(checkpoint, saved, began)
            except OutOfMemory as error:
                sizes = self._split(checkpoint, error, time.monotonic() - began)
            # Only here is the error gone, and with it what it held of the wave.
            del saved
            subpacks.release(self.place)
        return [pair for part in checkpoint.parts(sizes) for pair in self.train(part.members, measured=True)]

    def _wave(self, checkpoint: Checkpoint, saved: Tree, began: float) -> list[tuple[result_cache.Member, Tree]]:
        """Train members together, from their checkpoint if they have one; leaves their results there."""
        stopping, pace, wave, steps = self.work.stopping, self.pace, checkpoint.members, self.training.steps
        if why := stopping.reason(pace.margin):
            raise stopping.stop(why, LATER)
        if saved:
            step, at = saved["state"]["step"], saved["at"]
            say(f"{plural(len(wave), 'run')}: goes on from step {step:,} of {steps:,} (checkpoint of {at})")

        def keep(progress: TrainingProgress) -> None:
            checkpoint.keep(state=progress.state(), seconds=time.monotonic() - began)

        def at_chunk(progress: TrainingProgress) -> None:
            pace.end()
            self.reached(wave, progress.step)
            if progress.alive and progress.step < steps:
                self._stream(wave, progress)
                if pace.new:
                    pace.expect(size(progress.state()))
                then = f"checkpoint at step {progress.step:,}; the next attempt goes on from there"
                pace.rest(stopping, lambda: keep(progress), then)
            pace.begin()

        with stopping.deferred():
            pace.begin()
            how = {"device": self.place, "resume": saved.get("state"), "at_chunk": at_chunk}
            trees = train(self.game, self.training, runs_of(wave), **how)
            self.reached(wave, steps)
            share = (time.monotonic() - began) / len(wave)
            sizes = [int(trees[0]["snapshots"][player].shape[1]) for player in self.game.players]
            about = {"trained_at": now(), "train_seconds": share, "together": len(wave)}
            about |= {"steps": steps, "parameters": sizes}
            trees = [{**tree, "about": about} for tree in trees]
            checkpoint.keep(done={str(k): tree for k, tree in enumerate(trees)})
        return list(zip(wave, trees, strict=True))

    def _stream(self, wave: Sequence[result_cache.Member], progress: TrainingProgress) -> None:
        if self.stream.due():
            for k in progress.alive:
                self.stream.send(wave[k]["id"], self.axes(wave[k]), progress.curves(k))

    def _measured(self, checkpoint: Checkpoint) -> list[int] | None:
        """Sizes of the waves in which the members will fit into memory; None if they all do at once."""
        wave = checkpoint.members
        most, why = subpacks.largest_subpack(
            self.game, self.training, runs_of(wave), self.place, subpacks.device_memory(self.place)
        )
        if most >= len(wave):
            return None
        sizes = subpacks.even_sizes(len(wave), most)
        say(f"{plural(len(wave), 'run')} in waves of {listed(sizes)}: {why}")
        checkpoint.keep(split=sizes)
        return sizes

    def _split(self, checkpoint: Checkpoint, error: OutOfMemory, seconds: float) -> list[int]:
        """Have the two halves of a wave go on from where memory ran out; their sizes.

        Raises:
            GanbenchError: one run is all that is left of it.
        """
        wave, state = checkpoint.members, error.state
        sizes = subpacks.halved_sizes(len(wave), state)
        where = "memory ran out " + (f"after step {state['step']:,}" if state else "before the first step")
        with self.work.stopping.deferred():
            if len(sizes) == 1:
                if state is not None:
                    checkpoint.keep(state=state, seconds=seconds)
                alone = wave[state["alive"][0] if state else 0]
                smaller = "take a smaller train.batch_size or architecture"
                raise subpacks.does_not_fit(alone["id"], where, error.cause, self.place, smaller) from None
            say(f"{where} of {plural(len(wave), 'run')} ({error.cause}); they go on as {listed(sizes)}")
            first = 0
            for part in checkpoint.parts(sizes) if state is not None else []:
                its = range(first, first := first + len(part.members))
                part.keep(state=part_of(state, its), seconds=seconds * len(its) / len(wave))
            checkpoint.keep(split=sizes)  # last: until then its own state is what counts
        return sizes


def runs_of(members: Sequence[result_cache.Member]) -> list[Member]:
    """Members of a pack as the engine knows them."""
    return [Member(member["seed"], member["n_train"], member["learning_rate"]) for member in members]


def listed(sizes: Sequence[int]) -> str:
    return " + ".join(map(str, sizes))


def say(line: str) -> None:
    """Write a line into the job's log."""
    print(line, file=sys.stderr, flush=True)
