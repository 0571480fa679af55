"""What lies in `.resume/` until a pack is done, checkpoints of training and finished runs, and when to write there."""

from __future__ import annotations

import sys
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
from ganbench.pipeline.execution.job_context import Work
from ganbench.pipeline.execution.provenance import now
from ganbench.pipeline.execution.result_cache import Made, Member
from ganbench.pipeline.execution.shutdown import Stopping

KIND = "resume"
SPARING = 100  # times what a checkpoint costs lie between two of them: under 2% of training, on slow disks too
ENDING_SECONDS = 20.0  # that a job needs to end after its last checkpoint
WARY = 2.0  # the next chunk and checkpoint may take so many times what the longest yet took
LATER = "what is finished is kept; the next attempt does the rest"
SLOW_DISK = 50e6  # bytes a second, for what the first checkpoint may take


class Checkpoint:
    """Of members of a pack that train together; one file, which holds one of three things.

    `state` to go on from; the results of members that are `done`; or the sizes of the waves that they were `split`
    into, which have checkpoints of their own. `seconds` is how long the members have trained, and `at` when it was
    written.

    It is named after what it holds, since another start may find other members to train, another device, or other
    reasons to fuse.
    """

    def __init__(self, folder: Path, members: Sequence[Member], place: torch.device) -> None:
        self._folder, self.members, self._place = folder, list(members), place
        self.path = folder / f"{digest([place.type, *(member['digest'] for member in members)])[:12]}.h5"

    def read(self) -> Tree:
        """All it holds; nothing where there is none. A damaged one, by a machine that lost power say, is as good as
        none."""
        if not self.path.exists():
            return {}
        try:
            with result_files.open_file(self.path, KIND) as file:
                return result_files.read_tree(result_files.descend(file, "saved"))
        except GanbenchError as error:
            print(f"the checkpoint {error} It is passed over.", file=sys.stderr, flush=True)
            self.path.unlink()
            return {}

    def keep(self, **what: Any) -> None:
        """Replace what it holds."""
        with result_files.create_file(self.path, KIND) as file:
            result_files.write_tree(file.create_group("saved"), {**what, "at": now()})

    def parts(self, sizes: Sequence[int]) -> list[Checkpoint]:
        """Those of waves of these sizes that its members are split into."""
        ends = list(accumulate(sizes))
        waves = [self.members[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        return [Checkpoint(self._folder, wave, self._place) for wave in waves]

    def reached(self, steps: int) -> dict[str, int]:
        """By digest of its members: the step at which each stands, of so many in all."""
        saved = self.read()
        if "split" in saved:
            return {key: at for part in self.parts(saved["split"]) for key, at in part.reached(steps).items()}
        step = saved["state"]["step"] if "state" in saved else steps if saved else 0
        return {member["digest"]: step for member in self.members}


class CheckpointSchedule:
    """How long a job's chunks and checkpoints take; from that, when a checkpoint is due and when it is time to end.

    Args:
        least: seconds between two checkpoints, at least; 0 is one after every chunk.
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

    def rest(self, stopping: Stopping, keep: Callable[[], None], then: str) -> None:
        """Between two chunks: write a checkpoint if one is due, and end if it is time for that.

        Args:
            stopping: knows whether it is.
            keep: writes the checkpoint.
            then: what is said to become of it, where the job ends.

        Raises:
            Stopped: the job was told to end, or its time is over.
        """
        why = stopping.reason(self.margin)
        if why or self.due:
            with self.saving():
                keep()
        if why:
            raise stopping.stop(why, then)


def lasting(made: Iterable[list[Made]], count: int, kind: str, resume: Path, work: Work) -> list[Made]:
    """Runs' results as they are made, kept in files where a later attempt finds them: from time to time, and when the
    job ends too early.

    Args:
        made: the results of runs that come together.
        count: of how many runs they will be.
        kind: the stage.
        resume: folder of the files.
        work: the job's surroundings.

    Returns:
        those that are in no file yet.

    Raises:
        Stopped: the job was told to end, or its time is over.
    """
    pace, fresh = CheckpointSchedule(work.site.checkpoint_seconds), []

    def keep() -> None:
        result_cache.keep(resume, kind, fresh)
        fresh.clear()

    try:
        for some in made:
            pace.end()
            fresh.extend(some)
            count -= len(some)
            if count:
                pace.rest(work.stopping, keep, LATER)
            pace.begin()
    except BaseException:
        with suppress(GanbenchError):  # a full disk, say; the job ends for its first cause
            if fresh:
                keep()
        raise
    return fresh


def size(tree: Tree) -> int:
    """Bytes of all arrays of a tree."""
    return sum(size(item) if isinstance(item, dict) else getattr(item, "nbytes", 0) for item in tree.values())
