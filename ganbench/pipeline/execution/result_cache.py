"""The result file of a pack: existing results are reused, the others are computed, and all go into one file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

import h5py

from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.tree import Tree
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import DIGEST, Job
from ganbench.pipeline.tasks import PackMember
from ganbench.pipeline.typed_json import decode, encode


class Item(Protocol):
    """The subject of a result: a run of a pack, or an observation."""

    @property
    def digest(self) -> str:
        """The digest of everything that can change the result."""


ItemT = TypeVar("ItemT", bound=Item)


def resume_folder(job: Job) -> Path:
    """The folder of a pack where an attempt finds what earlier ones left: checkpoints and finished results."""
    return job.path.parent / ".resume" / job.path.stem[:-DIGEST]


def held(jobs: Iterable[Job]) -> dict[str, Path]:
    """Find what jobs of packs will copy.

    Args:
        jobs: the jobs.

    Returns:
        By digest of a run or an observation, the file that holds its result already.
    """
    found: dict[str, Path] = {}
    missing: dict[tuple[Path, str], set[str]] = defaultdict(set)
    for job in jobs:
        digests = {item.digest for item in job.items}
        finished = result_files.find_runs(resume_folder(job), job.stage, digests)
        found |= finished
        missing[job.path.parent, job.stage] |= digests - finished.keys()
    for (folder, stage), digests in missing.items():
        found |= result_files.find_runs(folder, stage, digests)
    return found


def complete(
    job: Job,
    compute: Callable[[list[ItemT], Path], list[tuple[ItemT, Tree]]],
    context: JobContext,
    about: Callable[[ItemT], Tree] = encode,
) -> None:
    """Write a pack's file, and remove the pack's older files that hold no other results.

    Results that a file of the stage holds already are copied; the others are computed.

    Args:
        job: the job.
        compute: a function of the items to compute and a folder that a later attempt reads. It writes the results of
            each item to a file in the folder, or returns them.
        context: the job's context.
        about: a function from an item to its description in the file.
    """
    path, kind, resume = job.path, job.stage, resume_folder(job)
    wanted: dict[str, ItemT] = {}
    for item in job.items:
        wanted.setdefault(item.digest, item)  # two experiments may make the same observation
    cached = held([job])
    new = [item for digest, item in wanted.items() if digest not in cached]
    if cached:
        context.note_copied()
    computed = compute(new, resume) if new else []
    others = wanted.keys() - {item.digest for item, _ in computed}
    # Results that `compute` wrote to files, and results whose file another job of the pack has replaced meanwhile.
    if any(digest not in cached or not cached[digest].exists() for digest in others):
        cached = {digest: file for digest, file in held([job]).items() if digest in others}
    with context.stopping.deferred():  # everything is computed, so a signal comes too late
        write(path, kind, {digest: about(item) for digest, item in wanted.items()}, cached, computed)
    older = (file for file in path.parent.glob("*.h5") if file.stem[:-DIGEST] == path.stem[:-DIGEST])
    _prune([file for file in (*older, *resume.glob("*.h5")) if file != path], kind, wanted.keys())
    with suppress(OSError):  # not empty if another version of the study has files there
        resume.rmdir()


def write(
    path: Path, kind: str, about: dict[str, Tree], cached: dict[str, Path], computed: list[tuple[ItemT, Tree]]
) -> None:
    """Write a pack's file.

    Args:
        path: the file.
        kind: the stage.
        about: the description of each item by its digest, in the order of the pack. It may have changed after the
            item's result was computed.
        cached: the files that hold results already, by digest.
        computed: the other items with their results.
    """
    with result_files.create_file(path, kind) as file:
        trajectories = [each.get("trajectory", "") for each in about.values()]
        result_files.write_tree(file.create_group("pack"), {"members": list(about), "trajectories": trajectories})
        runs = file.create_group("runs")
        for digest, source in sorted(cached.items()):  # sorted, since `cached` comes from a set
            with result_files.open_file(source, kind) as older:
                tree = result_files.read_tree(group_of(older, digest), lazy=True)
                result_files.write_tree(runs.create_group(digest), {**tree, "member": about[digest]})
        _save(runs, [(item, {**tree, "member": about[item.digest]}) for item, tree in computed])


def digests_of(file: result_files.Group) -> list[str]:
    """The digests of the items that a pack's file holds, in the order of the pack."""
    return result_files.descend(file, "pack").scalars()["members"]


def members_of(file: result_files.Group) -> list[PackMember]:
    """The runs that a pack's file holds, in the order of the pack."""
    found, runs = [], result_files.descend(file, "runs")
    for digest in digests_of(file):
        # Without the groups beside the fields, such as the run's configuration: they take most of the time.
        member = result_files.descend(_held(runs, digest), "member").scalars()
        found.append(decode(PackMember, {name: member[name] for name in PackMember.__dataclass_fields__}))
    return found


def save(folder: Path, kind: str, computed: Sequence[tuple[Item, Tree]]) -> None:
    """Write results to a file of their own.

    Args:
        folder: the folder of the file.
        kind: the stage.
        computed: the items with their results; the file is named after the first item.
    """
    with result_files.create_file(folder / f"{computed[0][0].digest[:12]}.h5", kind) as file:
        _save(file.create_group("runs"), computed)


def _save(runs: h5py.Group, computed: Iterable[tuple[Item, Tree]]) -> None:
    for item, tree in computed:
        result_files.write_tree(runs.create_group(item.digest), tree)


def _prune(files: Iterable[Path], kind: str, held: Set[str]) -> None:
    """Remove files that hold no other runs than these."""
    for path in files:
        try:
            with result_files.open_file(path, kind) as file:
                superseded = held >= set(result_files.descend(file, "runs"))
        except GanbenchError:
            continue  # a damaged or foreign file is left alone
        if superseded:
            path.unlink(missing_ok=True)


def group_of(file: result_files.Group, digest: str) -> result_files.Group:
    """The group of a run, or an observation, in a file of a stage.

    Raises:
        GanbenchError: the file does not hold it.
    """
    return _held(result_files.descend(file, "runs"), digest)


def _held(runs: result_files.Group, digest: str) -> result_files.Group:
    group = runs.get(digest)
    if group is None:
        raise GanbenchError(
            f"{runs.filename} lacks the run {digest[:12]}; it was made from other sources or another configuration. "
            "Were files edited while the workflow ran? Start it again."
        )
    return group
