"""What the stages over packs share: take the runs that are there, make the others, write all into one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py

from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.tree import Tree
from ganbench.pipeline.execution.job_context import Work

Member = dict[str, Any]  # a run of a pack as its slice tells of it: id, digest, method, axes
Made = tuple[Member, Tree]  # and its results

DIGEST = 12 + len("-")  # characters that a job's digest takes at the end of its file's stem


def finish(
    path: Path, kind: str, members: list[Member], make: Callable[[list[Member], Path], list[Made]], work: Work
) -> None:
    """Write a pack's file: of the runs that a file of the stage holds already, what is there; of the others, what is
    made. Then remove the pack's files that hold nothing but what this one holds.

    Args:
        path: the file.
        kind: the stage.
        members: all runs of the pack.
        make: given the runs to make and a folder for what a later attempt shall find; leaves each run's results in a
            file there, or returns them.
        work: the job's surroundings.
    """
    resume = path.parent / ".resume" / path.stem[:-DIGEST]
    wanted: dict[str, Member] = {}
    for member in members:
        wanted.setdefault(member["digest"], member)  # two experiments may ask the same of a run

    def there(digests: Set[str]) -> dict[str, Path]:
        found = result_files.find_runs(resume, kind, digests)
        return found | result_files.find_runs(path.parent, kind, digests - found.keys())

    kept = there(wanted.keys())
    new = [member for digest, member in wanted.items() if digest not in kept]
    made = make(new, resume) if new else []
    others = wanted.keys() - {member["digest"] for member, _ in made}
    # What was put into files meanwhile; and what is in another file now, since another job of the pack removed the one.
    kept |= there({digest for digest in others if digest not in kept or not kept[digest].exists()})
    with work.stopping.deferred():  # all is made: a signal comes too late
        write(path, kind, members, kept, made)
    older = (file for file in path.parent.glob("*.h5") if file.stem[:-DIGEST] == path.stem[:-DIGEST])
    _prune([file for file in (*older, *resume.glob("*.h5")) if file != path], kind, wanted.keys())
    with suppress(OSError):  # another job of this pack, of the study as it was before, may have its own there
        resume.rmdir()


def write(path: Path, kind: str, members: list[Member], kept: dict[str, Path], made: list[Made]) -> None:
    """Write a pack's file: runs that are kept in others, and those just made."""
    called = {member["digest"]: member for member in members}  # may have changed since the run was computed
    with result_files.create_file(path, kind) as file:
        runs = file.create_group("runs")
        for digest, source in sorted(kept.items()):  # found as members of a set, whose order is chance
            with result_files.open_file(source, kind) as older:
                tree = result_files.read_tree(group_of(older, digest))
            result_files.write_tree(runs.create_group(digest), {**tree, "member": called[digest]})
        _save(runs, [(member, {**tree, "member": called[member["digest"]]}) for member, tree in made])


def keep(folder: Path, kind: str, made: list[Made]) -> None:
    """Leave runs' results in a file of their own."""
    with result_files.create_file(folder / f"{made[0][0]['digest'][:12]}.h5", kind) as file:
        _save(file.create_group("runs"), made)


def _save(runs: h5py.Group, made: Iterable[Made]) -> None:
    for member, tree in made:
        result_files.write_tree(runs.create_group(member["digest"]), tree)


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
