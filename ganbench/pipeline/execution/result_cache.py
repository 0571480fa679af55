"""The result file of a pack: take the results that are there, compute the others, write all into one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

import h5py

from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.tree import Tree
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.tasks import PackMember
from ganbench.pipeline.typed_json import decode, encode

DIGEST = 12 + len("-")  # characters that a job's digest takes at the end of its file's stem


class Item(Protocol):
    """What a result is of: a run of a pack, or an experiment's observation of one."""

    @property
    def digest(self) -> str:
        """Of all that can change the result."""


ItemT = TypeVar("ItemT", bound=Item)


def complete(
    job: Job,
    items: Sequence[ItemT],
    compute: Callable[[list[ItemT], Path], list[tuple[ItemT, Tree]]],
    context: JobContext,
    about: Callable[[ItemT], Tree] = encode,
) -> None:
    """Write a pack's file: of the items that a file of the stage holds already, what is there; of the others, what is
    computed. Then remove the pack's files that hold nothing but what this one holds.

    Args:
        job: The job.
        items: All items of the pack.
        compute: Given the items to compute and a folder for what a later attempt shall find. It leaves each item's
            results in a file there, or returns them.
        context: The job's context.
        about: What the file tells of an item.
    """
    path, kind = job.path, job.stage
    resume = path.parent / ".resume" / path.stem[:-DIGEST]
    wanted: dict[str, ItemT] = {}
    for item in items:
        wanted.setdefault(item.digest, item)  # two experiments may ask the same of a run

    def find(digests: Set[str]) -> dict[str, Path]:
        found = result_files.find_runs(resume, kind, digests)
        return found | result_files.find_runs(path.parent, kind, digests - found.keys())

    cached = find(wanted.keys())
    new = [item for digest, item in wanted.items() if digest not in cached]
    computed = compute(new, resume) if new else []
    others = wanted.keys() - {item.digest for item, _ in computed}
    # What was put into files meanwhile; and what is in another file now, since another job of the pack removed the one.
    cached |= find({digest for digest in others if digest not in cached or not cached[digest].exists()})
    with context.stopping.deferred():  # all is computed: a signal comes too late
        write(path, kind, {digest: about(item) for digest, item in wanted.items()}, cached, computed)
    older = (file for file in path.parent.glob("*.h5") if file.stem[:-DIGEST] == path.stem[:-DIGEST])
    _prune([file for file in (*older, *resume.glob("*.h5")) if file != path], kind, wanted.keys())
    with suppress(OSError):  # another job of this pack, of the study as it was before, may have its own there
        resume.rmdir()


def write(
    path: Path, kind: str, about: dict[str, Tree], cached: dict[str, Path], computed: list[tuple[ItemT, Tree]]
) -> None:
    """Write a pack's file.

    Args:
        path: The file.
        kind: The stage.
        about: By digest, in the order of the pack: what is told of an item, which may have changed since its result
            was computed.
        cached: By digest: the file that holds a result already.
        computed: The other items with their results.
    """
    with result_files.create_file(path, kind) as file:
        result_files.write_tree(file.create_group("pack"), {"members": list(about)})
        runs = file.create_group("runs")
        for digest, source in sorted(cached.items()):  # found as members of a set, whose order is chance
            with result_files.open_file(source, kind) as older:
                tree = result_files.read_tree(group_of(older, digest))
            result_files.write_tree(runs.create_group(digest), {**tree, "member": about[digest]})
        _save(runs, [(item, {**tree, "member": about[item.digest]}) for item, tree in computed])


def members_of(file: result_files.Group) -> list[PackMember]:
    """The runs that a pack's file holds, in the order of the pack."""
    found = []
    for digest in result_files.read_tree(result_files.descend(file, "pack"))["members"]:
        told = result_files.read_tree(result_files.descend(group_of(file, digest), "member"))
        found.append(decode(PackMember, {name: told[name] for name in PackMember.__dataclass_fields__}))
    return found


def save(folder: Path, kind: str, computed: Sequence[tuple[Item, Tree]]) -> None:
    """Leave results in a file of their own."""
    with result_files.create_file(folder / f"{computed[0][0].digest[:12]}.h5", kind) as file:
        _save(file.create_group("runs"), computed)


def _save(runs: h5py.Group, computed: Iterable[tuple[Item, Tree]]) -> None:
    for item, tree in computed:
        result_files.write_tree(runs.create_group(item.digest), tree)


def _prune(files: Iterable[Path], kind: str, held: Set[str]) -> None:
    """Remove files that hold none but these runs."""
    for path in files:
        try:
            with result_files.open_file(path, kind) as file:
                superseded = held >= set(result_files.descend(file, "runs"))
        except GanbenchError:
            continue  # not for us to judge
        if superseded:
            path.unlink(missing_ok=True)


def group_of(file: result_files.Group, digest: str) -> result_files.Group:
    """The group of a run in a file of a stage."""
    runs = result_files.descend(file, "runs")
    if digest not in runs:
        raise GanbenchError(
            f"{file.filename} lacks the run {digest[:12]}; it was made from other sources or another configuration. "
            "Were files edited while the workflow ran? Start it again."
        )
    return result_files.descend(runs, digest)
