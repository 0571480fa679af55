"""Checkpoints of training and results of finished runs, kept in `.resume/` until a pack is done."""

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
from ganbench.pipeline.execution.snapshot_files import SnapshotFiles
from ganbench.pipeline.execution.termination_signals import StopRequest
from ganbench.pipeline.execution.timestamps import now
from ganbench.pipeline.tasks import PackMember

KIND = "resume"
SPARING = 100  # least time between two checkpoints, as a multiple of what one takes: about 1% of training
ENDING_SECONDS = 20.0  # time that a job needs to end after its last checkpoint
WARY = 2.0  # factor by which the next chunk and checkpoint may take longer than the longest so far
LATER = "what is finished is kept; the next attempt does the rest"
SLOW_DISK = 50e6  # bytes per second assumed for the first checkpoint


class Checkpoint:
    """The checkpoint of a subpack, in one file, and the files of the snapshots that it refers to.

    The file holds one of three things: the `state` to go on from; the results of members that are `done`; or the sizes
    of the subpacks that the members were `split` into, which have their own checkpoints. With a state, `seconds` is how
    long the members have trained. `at` is when the file was written.

    The file is named after its members and the device, since the next attempt may have other members to train, another
    device, or other reasons to fuse.

    Args:
        folder: the folder of the pack's checkpoints.
        members: the members of the subpack.
        device: the device that the members train on.

    Attributes:
        snapshots: the snapshots of the members.
    """

    def __init__(self, folder: Path, members: Sequence[PackMember], device: torch.device) -> None:
        self._folder, self.members, self._device = folder, list(members), device
        digests = [member.digest for member in members]
        self.path = folder / f"{digest([device.type, *digests])[:12]}.h5"
        self.snapshots = SnapshotFiles(folder, self.path.stem, digests)

    def read(self) -> Tree:
        """Read the checkpoint; empty if there is none. One that is damaged, or lacks snapshots, is removed."""
        if not self.path.exists():
            return {}
        try:
            with result_files.open_file(self.path, KIND) as file:
                saved = result_files.read_tree(result_files.descend(file, "saved"))
            self.snapshots.verify(_snapshot_files(saved))
            return saved
        except GanbenchError as error:
            log(f"the checkpoint {error} It is passed over.")
            self.path.unlink()
            return {}

    def save(self, **content: Any) -> None:
        """Write the snapshots that wait, and then the checkpoint, in place of an earlier one."""
        self.snapshots.write()
        with result_files.create_file(self.path, KIND) as file:
            result_files.write_tree(file.create_group("saved"), {**content, "at": now()})

    def split(self, sizes: Sequence[int]) -> list[Checkpoint]:
        """The checkpoints of the subpacks that result from splitting the members.

        Args:
            sizes: the sizes of the subpacks.

        Returns:
            The checkpoints, in the order of the members.
        """
        ends = list(accumulate(sizes))
        subpacks = [self.members[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        return [Checkpoint(self._folder, members, self._device) for members in subpacks]

    def reached(self, steps: int) -> dict[str, int]:
        """The step that each member has reached.

        Args:
            steps: the number of steps of the whole training.

        Returns:
            The steps by the members' digests.
        """
        saved = self.read()
        if "split" in saved:
            return {key: at for part in self.split(saved["split"]) for key, at in part.reached(steps).items()}
        step = saved["state"]["step"] if "state" in saved else steps if saved else 0
        return {member.digest: step for member in self.members}


class CheckpointSchedule:
    """Decides when a checkpoint is due and when to end a job, by how long chunks and checkpoints take.

    Args:
        least: the least time between two checkpoints, in seconds; 0 for a checkpoint after every chunk.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        # Seconds: of the longest chunk, of the longest checkpoint, and of the last checkpoint.
        self._chunk = self._checkpoint = self._cost = 0.0
        self._begun = self._saved = time.monotonic()

    def begin(self) -> None:
        """Note that a chunk begins."""
        self._begun = time.monotonic()

    def end(self) -> None:
        """Note that a chunk has ended."""
        self._chunk = max(self._chunk, time.monotonic() - self._begun)

    @property
    def new(self) -> bool:
        """Whether the time of a checkpoint is neither known nor expected."""
        return self._checkpoint == 0

    def expect(self, size: int) -> None:
        """Estimate the time of the first checkpoint from its size in bytes."""
        self._checkpoint = size / SLOW_DISK

    @property
    def due(self) -> bool:
        """Whether a checkpoint is due."""
        return time.monotonic() - self._saved >= (max(self._least, SPARING * self._cost) if self._least else 0)

    @property
    def margin(self) -> float:
        """The seconds that the job may need to end if it goes on for one more chunk."""
        return WARY * (self._chunk + self._checkpoint) + ENDING_SECONDS

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Time a block that writes a checkpoint."""
        began = time.monotonic()
        yield
        self._saved = time.monotonic()
        self._cost = self._saved - began
        self._checkpoint = max(self._checkpoint, self._cost)

    def save_or_stop(self, stopping: StopRequest, save: Callable[[], None], then: str) -> None:
        """Write a checkpoint if one is due, and end the job if it has to stop. Call this between two chunks.

        Args:
            stopping: the reasons to stop.
            save: a function that writes the checkpoint.
            then: what the message says will become of the work.

        Raises:
            Stopped: the job was told to end, or its time is over.
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
    """Compute results, and save them in files for a later attempt: from time to time, and if the job ends early.

    Args:
        batches: lists of results that are computed together.
        count: the number of all results.
        kind: the stage.
        resume: the folder of the files.
        context: the job's context.

    Returns:
        The results that have not been saved in a file. Each notes its share of the time that its list took, in seconds.

    Raises:
        Stopped: the job was told to end, or its time is over.
    """
    schedule, fresh = CheckpointSchedule(context.settings.checkpoint_seconds), []
    began = time.monotonic()

    def save() -> None:
        result_cache.save(resume, kind, fresh)
        fresh.clear()

    try:
        for batch in batches:
            schedule.end()
            share = (time.monotonic() - began) / len(batch)
            fresh.extend((item, {**tree, "about": {**tree["about"], "seconds": share}}) for item, tree in batch)
            count -= len(batch)
            if count:
                schedule.save_or_stop(context.stopping, save, LATER)
            schedule.begin()
            began = time.monotonic()
    except BaseException:
        with suppress(GanbenchError):  # such as a full disk: the error to report is the first one
            if fresh:
                save()
        raise
    return fresh


def _snapshot_files(saved: Tree) -> set[str]:
    """The names of the files of snapshots that a checkpoint refers to."""
    training = [run["snapshots"] for run in saved.get("state", {}).get("runs", {}).values()]
    done = [result["kept"] for result in saved.get("done", {}).values()]
    return {name for kept in training + done for name in kept.values()}


def size(tree: Tree) -> int:
    """The number of bytes of all arrays of a tree."""
    return sum(size(item) if isinstance(item, dict) else getattr(item, "nbytes", 0) for item in tree.values())
