"""Snapshots of a pack in training, in files beside its checkpoints until the pack is done.

A file has the snapshots of adjacent steps, one group per run. Snapshots wait in memory until the next one would bring
them above `BUFFER` bytes, or until a checkpoint is written. Then they go into a file, on a GPU while it computes the
steps between. So memory holds one snapshot of the pack, or `BUFFER` bytes of smaller ones, and a checkpoint holds names
of files. A file is named after its first step: an attempt that goes on from an earlier checkpoint writes it again.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.hdf5 import Group, Rows
from ganbench.core.tree import Tree
from ganbench.engine.snapshots import HostCopy, Snapshot, size, snapshots_of
from ganbench.pipeline.execution.continuing import Shorter
from ganbench.pipeline.execution.result_cache import group_of

KIND = "snapshots"
FOLDER = "snapshots"  # in the folder of the checkpoints
BUFFER = 2**24  # bytes; a file of these takes longer to write than to open and to sync
MAX_OPEN = 128  # files that are open at a time; a process may have a thousand
START = -1  # the step of an attempt that goes on from no checkpoint


class SnapshotFiles:
    """The snapshots of a subpack: a `SnapshotStore` whose references are names of files.

    Args:
        folder: the folder of the pack's checkpoints. The subpacks of a pack find each other's files in it.
        name: the name of the subpack, with which the names of its files begin.
        digests: the digests of its members.

    Attributes:
        waiting_bytes: the bytes of the snapshots that wait in memory.
    """

    def __init__(self, folder: Path, name: str, digests: Sequence[str]) -> None:
        self._folder, self._name, self._digests = folder / FOLDER, name, list(digests)
        self._waiting: list[tuple[int, dict[int, int], HostCopy]] = []  # step, row of each member, and snapshot
        self.waiting_bytes = 0
        self._files: Callable[[], _OpenFiles | None] = lambda: None  # a weak reference: results keep them open

    def add(self, step: int, rows: Mapping[int, int], taken: Snapshot) -> dict[int, str]:
        """Keep a snapshot, after those that wait are written if there is no room beside them; see `SnapshotStore`."""
        if self.waiting_bytes + size(taken) > BUFFER:
            self.write()
        self._waiting.append((step, dict(rows), HostCopy(taken)))
        self.waiting_bytes += size(taken)
        return dict.fromkeys(rows, self._file(self._waiting[0][0]))

    def result(self, kept: Mapping[int, str]) -> Tree:
        """The names of the files of a run, see `SnapshotStore`, by which `complete` finds its snapshots."""
        return {"kept": {str(step): kept[step] for step in sorted(kept)}}

    def write(self) -> None:
        """Write the snapshots that wait into a file.

        Raises:
            GanbenchError: the disk is full, or the folder cannot be written.
        """
        if not self._waiting:
            return
        taken = [(step, rows, copy.arrays()) for step, rows, copy in self._waiting]
        with result_files.create_file(self._folder / self._file(taken[0][0]), KIND) as file:
            runs = file.create_group("runs")
            for k in sorted({k for _, rows, _ in taken for k in rows}):
                mine = [(step, rows[k], arrays) for step, rows, arrays in taken if k in rows]
                stacked = {
                    kind: {name: np.stack([arrays[kind][name][row] for _, row, arrays in mine]) for name in each}
                    for kind, each in mine[0][2].items()
                }
                steps = np.array([step for step, _, _ in mine])
                result_files.write_tree(runs.create_group(self._digests[k]), {"step": steps, **stacked})
        self._waiting, self.waiting_bytes = [], 0

    def copy_from(self, finished: Sequence[Shorter], wanted: Collection[int]) -> list[dict[int, str]]:
        """Copy the snapshots of the finished runs that the members go on from.

        Args:
            finished: the finished run of each member.
            wanted: the steps of the members' snapshots.

        Returns:
            The references to the wanted ones, by step, of each member.
        """
        kept, name = [], self._file(0)
        with result_files.create_file(self._folder / name, KIND) as file:
            runs = file.create_group("runs")
            for digest, shorter in zip(self._digests, finished, strict=True):
                with shorter.opened() as group:
                    tree = result_files.read_tree(group, lazy=True)
                    players = tree["snapshots"]
                    steps = players.pop("step")[:]
                    others = {kind: tree[kind] for kind in ("buffers", "average") if kind in tree}
                    result_files.write_tree(runs.create_group(digest), {"step": steps, "players": players, **others})
                kept.append({int(step): name for step in steps if step in wanted})
        return kept

    def discard_after(self, step: int) -> None:
        """Remove the files that an earlier attempt wrote after its last checkpoint, which was at this step."""
        for path in self._folder.glob(f"{self._name}-*.h5"):
            if int(path.stem.rpartition("-")[2]) > step:
                path.unlink(missing_ok=True)

    def verify(self, names: Iterable[str]) -> None:
        """Check that files are there and undamaged.

        Raises:
            GanbenchError: a file is not.
        """
        for path in sorted(self._folder / name for name in set(names)):
            _verify(path, path.stat().st_mtime_ns if path.exists() else 0)

    def complete(self, k: int, result: Tree) -> Tree:
        """The result of a member with its snapshots, which stay in their files until they are written elsewhere.

        Args:
            k: the index of the member.
            result: its result, of which `kept` names the files.

        Raises:
            GanbenchError: a file is missing or damaged.
        """
        kept = sorted((int(step), name) for step, name in result["kept"].items())
        pieces: list[tuple[Path, int, int]] = []  # a file with its first and last row
        files = self._files() or _OpenFiles()
        self._files = weakref.ref(files)
        for name, each in groupby(kept, key=itemgetter(1)):
            stored = files.run(self._folder / name, self._digests[k])
            row_of = {step: row for row, step in enumerate(stored["step"][:].tolist())}
            steps = [step for step, _ in each]
            if missing := [step for step in steps if step not in row_of]:
                raise GanbenchError(
                    f"{self._folder / name} lacks the snapshot of step {missing[0]:,}, which another job of these runs "
                    "must have replaced. Start the workflow again."
                )
            for row in (row_of[step] for step in steps):
                if pieces and pieces[-1][::2] == (self._folder / name, row):
                    pieces[-1] = (*pieces[-1][:2], row + 1)
                else:
                    pieces.append((self._folder / name, row, row + 1))
        place = files, self._digests[k], pieces
        stacked = {
            kind: {name: _Snapshots(*place, (kind, name), array) for name, array in arrays.items()}
            for kind, arrays in stored.items()
            if kind != "step"
        }
        return {
            **{name: item for name, item in result.items() if name != "kept"},
            **snapshots_of([step for step, _ in kept], stacked),
        }

    def _file(self, step: int) -> str:
        return f"{self._name}-{step}.h5"


@dataclass
class _OpenFile:
    """An open file, and the snapshots of the run that was read from it last."""

    stack: ExitStack
    file: Group
    digest: str = ""
    run: Tree = field(default_factory=dict)


class _OpenFiles:
    """Files of snapshots that stay open between reads, the last `MAX_OPEN` of them, until nobody reads them any more.

    A run's arrays are read one after the other, each from all files. Opening a file, and finding an array in it, take
    longer than reading a few rows. Of each file the arrays of the last run stay known: those of all runs would take
    megabytes for each of many runs.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[Path, _OpenFile] = OrderedDict()
        weakref.finalize(self, _close, self._open)

    def run(self, path: Path, digest: str) -> Tree:
        """The snapshots of a run in a file, whose arrays are read from the file.

        Raises:
            GanbenchError: the file is missing or damaged.
        """
        if path not in self._open:
            stack = ExitStack()
            self._open[path] = _OpenFile(stack, stack.enter_context(result_files.open_file(path, KIND)))
        self._open.move_to_end(path)
        while len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1].stack.close()
        opened = self._open[path]
        if digest != opened.digest:
            opened.digest, opened.run = digest, result_files.read_tree(group_of(opened.file, digest), lazy=True)
        return opened.run


def _close(opened: OrderedDict[Path, _OpenFile]) -> None:
    for file in opened.values():
        file.stack.close()


class _Snapshots(Rows):
    """An array of a run at its snapshots, in the files of these.

    Args:
        files: the files that are open.
        digest: the run's digest.
        pieces: each file with the range of its rows.
        place: the array's kind and name.
        like: the array in one of the files.
    """

    def __init__(
        self,
        files: _OpenFiles,
        digest: str,
        pieces: Sequence[tuple[Path, int, int]],
        place: tuple[str, str],
        like: Rows,
    ) -> None:
        self._files, self._digest, self._pieces, self._place = files, digest, pieces, place
        self.shape = (sum(stop - start for _, start, stop in pieces), *like.shape[1:])
        self.dtype = like.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, _ = rows.indices(self.shape[0])
        kind, name = self._place
        found, done = [np.empty((0, *self.shape[1:]), self.dtype)], 0
        for path, start, stop in self._pieces:
            ours = slice(start + max(0, first - done), min(stop, start + last - done))
            if ours.start < ours.stop:
                found.append(self._files.run(path, self._digest)[kind][name][ours])
            done += stop - start
        return np.concatenate(found)


@cache  # a job reads a checkpoint more than once
def _verify(path: Path, changed: int) -> None:
    with result_files.open_file(path, KIND) as file:
        result_files.verify_tree(result_files.read_tree(file, lazy=True))
