"""The results folder of a study: ours, writable, with room, used by one workflow at a time, its files whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

from ganbench import __version__
from ganbench.core import checksums, result_files, strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import STAMPS

MARK = ".ganbench.json"  # says which version of the file format the folder holds
LOCK = ".lock"


def prepare(plan: Plan) -> None:
    """Make the folder, or find it fit to go on in.

    Raises:
        GanbenchError: It cannot be written, holds results of another format, or damaged files of this study.
    """
    create(plan)
    verify(plan)


def create(plan: Plan) -> None:
    """Make the folder.

    Raises:
        GanbenchError: It cannot be written.
    """
    folder, mark = plan.folder, plan.folder / MARK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not mark.exists():
            with atomic_write(mark) as new:
                new.write_text(
                    strict_json.dumps(
                        {"format": result_files.FORMAT, "version": __version__, "study": plan.study.study}
                    )
                )
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise GanbenchError(f"results: cannot write to {folder}: {error.strerror}.") from None


def verify(plan: Plan) -> None:
    """Find what is in the folder fit to go on from; changes nothing.

    Raises:
        GanbenchError: It holds results of another format, or damaged or foreign files in place of this study's.
    """
    folder, mark = plan.folder, plan.folder / MARK
    try:
        found = json.loads(mark.read_text()) if mark.exists() else {"format": result_files.FORMAT}
    except ValueError:
        raise GanbenchError(f"{mark} is damaged; remove it if {folder} holds results of this study.") from None
    if not isinstance(found, dict) or found.get("format") != result_files.FORMAT:
        found = found if isinstance(found, dict) else {}
        raise GanbenchError(
            f"{folder} holds results of ganbench {found.get('version')}, format {found.get('format')}; this is version "
            f"{__version__}, format {result_files.FORMAT}. Use that version, or name another 'results' folder."
        )
    faults = [fault for job in plan.all_jobs() for fault in _faults(plan, job)]
    if faults:
        raise GanbenchError("\n".join(faults))


def _faults(plan: Plan, job: Job) -> Iterator[str]:
    """Files of a job that are damaged or not ours: all that is told by the file itself, where it is a pack's, and by
    its checksum, where the stage left one. What is in a pack's file is checked by whoever reads it."""
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
    """Refuse to start what cannot fit.

    Raises:
        GanbenchError: The disk has less room than the study needs.
    """
    left = shutil.disk_usage(plan.folder).free
    if left < needed:
        raise GanbenchError(
            f"results: the disk of {plan.folder} has {left / 1e9:.1f} GB left, and the study needs about "
            f"{needed / 1e9:.1f} GB."
        )
