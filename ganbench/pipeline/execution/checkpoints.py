"""What lies in `.resume/` until a pack is done, checkpoints of training and finished runs, and when to write there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch

from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import digest
from ganbench.core.tree import Tree
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.progress import log
from ganbench.pipeline.execution.result_cache import ItemT
from ganbench.pipeline.execution.termination_signals import StopRequest
from ganbench.pipeline.execution.timestamps import now
from ganbench.pipeline.tasks import PackMember

KIND = "resume"
SPARING = 100  # times what a checkpoint costs lie between two of them: under 2% of training, on slow disks too
ENDING_SECONDS = 20.0  # that a job needs to end after its last checkpoint
WARY = 2.0  # the next chunk and checkpoint may take so many times what the longest yet took
LATER = "what is finished is kept; the next attempt does the rest"
SLOW_DISK = 50e6  # bytes a second, for what the first checkpoint may take


class Checkpoint:
    """The checkpoint of a subpack: one file, which holds one of three things.

    `state` to go on from; the results of members that are `done`; or the sizes of the subpacks that it was `split`
    into, which have checkpoints of their own. `seconds` is how long the members have trained, and `at` when it was
    written.

    It is named after what it holds, since another start may find other members to train, another device, or other
    reasons to fuse.

    Args:
        folder: The folder of the pack's checkpoints.
        members: The members of the subpack.
        device: The device that they train on.
    """

    def __init__(self, folder: Path, members: Sequence[PackMember], device: torch.device) -> None:
        self._folder, self.members, self._device = folder, list(members), device
        self.path = folder / f"{digest([device.type, *(member.digest for member in members)])[:12]}.h5"

    def read(self) -> Tree:
        """All it holds; nothing where there is none. A damaged one, by a machine that lost power say, is as good as
        none."""
        if not self.path.exists():
            return {}
        try:
            with result_files.open_file(self.path, KIND) as file:
                return result_files.read_tree(result_files.descend(file, "saved"))
        except GanbenchError as error:
            log(f"the checkpoint {error} It is passed over.")
            self.path.unlink()
            return {}

    def save(self, **content: Any) -> None:
        """Replace what it holds."""
        with result_files.create_file(self.path, KIND) as file:
            result_files.write_tree(file.create_group("saved"), {**content, "at": now()})

    def split(self, sizes: Sequence[int]) -> list[Checkpoint]:
        """The checkpoints of the subpacks of these sizes that its members are split into."""
        ends = list(accumulate(sizes))
        subpacks = [self.members[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        return [Checkpoint(self._folder, members, self._device) for members in subpacks]

    def reached(self, steps: int) -> dict[str, int]:
        """The step that each member has reached.

        Args:
            steps: The steps of the whole training.

        Returns:
            The step, by the member's digest.
        """
        saved = self.read()
        if "split" in saved:
            return {key: at for part in self.split(saved["split"]) for key, at in part.reached(steps).items()}
        step = saved["state"]["step"] if "state" in saved else steps if saved else 0
        return {member.digest: step for member in self.members}


class CheckpointSchedule:
    """How long a job's chunks and checkpoints take; from that, when a checkpoint is due and when it is time to end.

    Args:
        least: The least seconds between two checkpoints; 0 for one after every chunk.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._chunk = self._checkpoint = self._cost = 0.0  # the longest of both yet, and what the last one cost
        self._begun = self._saved = time.monotonic()

    def begin(self) -> None:
        """A chunk begins."""
        self._begun = time.monotonic()

    def end(self) -> None:
        """It is over."""
        self._chunk = max(self._chunk, time.monotonic() - self._begun)

    @property
    def new(self) -> bool:
        """Whether nothing is known yet of how long a checkpoint takes."""
        return self._checkpoint == 0

    def expect(self, size: int) -> None:
        """The first checkpoint will have so many bytes."""
        self._checkpoint = size / SLOW_DISK

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() - self._saved >= (max(self._least, SPARING * self._cost) if self._least else 0)

    @property
    def margin(self) -> float:
        """Seconds that the job may need until it has ended, if it does not end now but at the next chance."""
        return WARY * (self._chunk + self._checkpoint) + ENDING_SECONDS

    @contextmanager
    def saving(self) -> Iterator[None]:
        """The block writes a checkpoint."""
        began = time.monotonic()
        yield
        self._saved = time.monotonic()
        self._cost = self._saved - began
        self._checkpoint = max(self._checkpoint, self._cost)

    def save_or_stop(self, stopping: StopRequest, save: Callable[[], None], then: str) -> None:
        """Between two chunks: write a checkpoint if one is due, and end the job if it is to stop.

        Args:
            stopping: What tells the job to stop.
            save: Writes the checkpoint.
            then: What is said to become of it, where the job ends.

        Raises:
            Stopped: The job was told to end, or its time is over.
        """
        why = stopping.reason(self.margin)
        if why or self.due:
            with self.saving():
                save()
        if why:
            raise stopping.stop(why, then)


def checkpointed(
    batches: Iterable[list[tuple[ItemT, Tree]]], count: int, kind: str, resume: Path, context: JobContext
) -> list[tuple[ItemT, Tree]]:
    """Results as they are computed, saved in files where a later attempt finds them: from time to time, and when the
    job ends too early.

    Args:
        batches: Results that are computed together.
        count: The number of results in all.
        kind: The stage.
        resume: The folder of the files.
        context: The job's context.

    Returns:
        The results that are in no file yet.

    Raises:
        Stopped: The job was told to end, or its time is over.
    """
    schedule, fresh = CheckpointSchedule(context.settings.checkpoint_seconds), []

    def save() -> None:
        result_cache.save(resume, kind, fresh)
        fresh.clear()

    try:
        for batch in batches:
            schedule.end()
            fresh.extend(batch)
            count -= len(batch)
            if count:
                schedule.save_or_stop(context.stopping, save, LATER)
            schedule.begin()
    except BaseException:
        with suppress(GanbenchError):  # a full disk, say; the job ends for its first cause
            if fresh:
                save()
        raise
    return fresh


def size(tree: Tree) -> int:
    """Bytes of all arrays of a tree."""
    return sum(size(item) if isinstance(item, dict) else getattr(item, "nbytes", 0) for item in tree.values())
