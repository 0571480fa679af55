"""Checks of a study's results folder: its format, write permission, disk space, and the integrity of its files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ganbench import __version__
from ganbench.core import checksums, result_files, strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan, distinct_names
from ganbench.pipeline.stage_names import STAMPS
from ganbench.study.study_files import name_in, path_from_root

MARK = ".ganbench.json"  # file that records the version of the file format, and the files of the study
LOCK = ".lock"


def prepare(plan: Plan) -> None:
    """Make the results folder if there is none, and verify its content.

    Raises:
        GanbenchError: the folder cannot be written, holds results of another format, or holds damaged files.
    """
    create(plan)
    verify(plan)


def create(plan: Plan) -> None:
    """Make the results folder if there is none, and note the study's file in it.

    Raises:
        GanbenchError: the folder cannot be written.
    """
    folder, mark = plan.folder, plan.folder / MARK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = {"format": result_files.FORMAT, "version": __version__, "files": []}
        known = _read_mark(plan) if mark.exists() else fresh
        own = [] if plan.file is None else [os.path.relpath(plan.file.resolve(), folder.resolve())]
        files = [*known["files"], *(file for file in own if file not in known["files"])]
        if not mark.exists() or files != known["files"]:
            with atomic_write(mark) as temporary:
                temporary.write_text(strict_json.dumps(known | {"files": files}))
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise GanbenchError(f"results: cannot write to {folder}: {error.strerror}.") from None


def verify(plan: Plan) -> None:
    """Verify that the study can go on from the content of its results folder. Changes nothing.

    Raises:
        GanbenchError: the folder holds results of another format, or damaged or foreign files; or a study that this
            one is compared with has no results.
    """
    if (plan.folder / MARK).exists():
        _read_mark(plan)
    faults = [fault for job in plan.all_jobs() for fault in _faults(plan, job)]
    require_compared(plan)
    if faults:
        raise GanbenchError("\n".join(faults))


def _read_mark(plan: Plan) -> dict[str, Any]:
    """Read the mark of a results folder.

    Raises:
        GanbenchError: the mark is damaged, or of another format.
    """
    folder, mark = plan.folder, plan.folder / MARK
    try:
        found = json.loads(mark.read_text())
    except ValueError:
        raise GanbenchError(f"{mark} is damaged; remove it if {folder} holds results of this study.") from None
    if not isinstance(found, dict) or found.get("format") != result_files.FORMAT:
        found = found if isinstance(found, dict) else {}
        raise GanbenchError(
            f"{folder} holds results of ganbench {found.get('version')}, format {found.get('format')}; this is version "
            f"{__version__}, format {result_files.FORMAT}. Use that version, or name another 'results' folder."
        )
    files = found.get("files")
    return found | {"files": [file for file in files if isinstance(file, str)] if isinstance(files, list) else []}


def other_studies(plan: Plan) -> list[str]:
    """The paths of other files with a study of this name that have results in the results folder."""
    if plan.file is None or not (plan.folder / MARK).exists():
        return []
    files = {(plan.folder / file).resolve() for file in _read_mark(plan)["files"]} - {plan.file.resolve()}
    return sorted(path_from_root(file) for file in files if file.is_file() and name_in(file) == plan.study.study)


def drop_stale_stamp(plan: Plan) -> None:
    """Remove the stamp of tracking if its store is gone: Snakemake, which knows the stamp alone, would do nothing."""
    if not plan.track.done:
        with suppress(OSError):  # where nothing can be removed, nothing can be tracked
            plan.track.path.unlink()


def require_compared(plan: Plan) -> None:
    """Require the results of the studies that this one is compared with.

    Raises:
        GanbenchError: one of them has none that fit its file and the sources, or the name of another.
    """
    distinct_names([plan, *plan.compared.values()])
    for file, other in plan.compared.items():
        if not other.collect.done:
            raise GanbenchError(
                f"compare: {file}: study {other.study.study} has no collected results of its present configuration and "
                f"of these sources in {other.folder}. `ganbench collect {file}` makes what is missing."
            )


def _faults(plan: Plan, job: Job) -> Iterator[str]:
    """Errors about outputs of a job that are damaged or foreign.

    An HDF5 file is opened, which checks its structure; its arrays are checked when they are read. Other outputs are
    compared with the checksums that the stage wrote.
    """
    if job.path.suffix == ".h5":
        if job.path.exists():
            try:
                with result_files.open_file(job.path, job.stage):
                    pass
            except GanbenchError as error:
                yield str(error)
        return
    listed = next(path for path in job.outputs if path.name == checksums.FILE_NAME or path.parent.name == STAMPS)
    base = listed.parent if listed.name == checksums.FILE_NAME else plan.folder
    if listed.exists():
        yield from checksums.find_damaged(listed, base, [path for path in job.outputs if path != listed])


def require_space(plan: Plan, needed: int) -> None:
    """Refuse a study whose results do not fit on the disk.

    Args:
        plan: the study's plan.
        needed: the bytes that the study needs.

    Raises:
        GanbenchError: the disk has less free space than the study needs.
    """
    left = shutil.disk_usage(plan.folder).free
    if left < needed:
        raise GanbenchError(
            f"results: the disk of {plan.folder} has {left / 1e9:.1f} GB left, and the study needs about "
            f"{needed / 1e9:.1f} GB."
        )
