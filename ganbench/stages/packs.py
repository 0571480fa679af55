"""What the stages over packs share: take the runs that are there, compute the others, write all into one file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py

from ganbench.core import store
from ganbench.core.errors import GanbenchError
from ganbench.core.tree import Tree

Member = dict[str, Any]  # a run of a pack as its slice tells of it: id, digest, contender, axes

DIGEST = 12 + len("-")  # characters that a job's digest takes at the end of its file's stem


def there(path: Path, kind: str, members: list[Member]) -> dict[str, Path]:
    """By digest: the members whose results a file of the stage holds already."""
    return store.runs_in(path.parent, kind, [member["digest"] for member in members])


def write(
    path: Path, kind: str, members: list[Member], kept: dict[str, Path], made: Iterable[tuple[Member, Tree]]
) -> None:
    """Write a pack's file, then remove the pack's older files that hold nothing but what this one holds.

    Args:
        path: the file.
        kind: the stage.
        members: all runs of the pack.
        kept: where to take those from that are there already.
        made: the others with their results.
    """
    with store.writing(path, kind) as file:
        runs = file.create_group("runs")
        for digest, source in kept.items():
            with store.reading(source, kind) as older:
                older.copy(store.inside(older, "runs", digest), runs, name=digest)
        for member, tree in made:
            store.save(runs.create_group(member["digest"]), tree)
        for member in members:  # what a run is called may have changed since it was computed
            group = runs[member["digest"]]
            if "member" in group:
                del group["member"]
            store.save(group.create_group("member"), member)
    _prune(path, kind, {member["digest"] for member in members})


def _prune(path: Path, kind: str, held: set[str]) -> None:
    for older in path.parent.glob("*.h5"):
        if older == path or older.stem[:-DIGEST] != path.stem[:-DIGEST]:
            continue
        try:
            with store.reading(older, kind) as file:
                superseded = held.issuperset(store.inside(file, "runs"))
        except GanbenchError:
            continue  # not for us to judge
        if superseded:
            older.unlink()


def group_of(file: h5py.File, digest: str) -> h5py.Group:
    """The group of a run in a file of a stage."""
    runs = store.inside(file, "runs")
    if digest not in runs:
        raise GanbenchError(
            f"{file.filename} lacks the run {digest[:12]}; it was made from other sources or another configuration. "
            "Were files edited while the workflow ran? Start it again."
        )
    return store.inside(runs, digest)
