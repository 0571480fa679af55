"""Download of the archives of public data sets, and their verification."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.data import Archive
from ganbench.pipeline.execution.downloads import download
from ganbench.pipeline.planning.file_digests import SETTLED_SECONDS

VERIFIED = ".archives.json"  # file in the study's folder with the archives that have been verified


def fetch(archive: Archive) -> None:
    """Download an archive if the file does not exist, and verify it.

    Raises:
        GanbenchError: The file is to be put there by hand, the download failed, or the file has another checksum. The
            message says which file to put where.
    """
    path = Path(archive.path)
    if not path.exists():
        if not archive.url:
            raise GanbenchError(f"data: {path} is missing, and has no address for programs. {archive.how}")
        try:
            download(archive.url, path, path.name, lambda temporary: verify(archive, temporary))
        except (OSError, ValueError) as error:  # ValueError of an address that is none
            raise GanbenchError(f"data: {path} is missing, and fetching it failed ({error}). {archive.how}") from None
    else:
        verify(archive)


def provide(archives: Iterable[Archive], known: Path) -> None:
    """Fetch archives that are missing, and verify those that are there.

    Reading gigabytes takes minutes, so files of the size and the time stamp with which they were verified before are
    not read again.

    Args:
        archives: The archives.
        known: The file that remembers which were verified. It is written where it can be.

    Raises:
        GanbenchError: As of `fetch`.
    """
    before, after, now = _read(known), {}, time.time()
    for archive in archives:
        path = Path(archive.path)
        state = _state(archive)
        if state is None or before.get(archive.path) != state:
            fetch(archive)
        # A file may change twice within the resolution of its time stamp.
        settled = now - path.stat().st_mtime > SETTLED_SECONDS
        after[archive.path] = _state(archive) if settled else ""
    if any(before.get(path, "") != state for path, state in after.items()):
        with suppress(OSError), atomic_write(known) as temporary:
            temporary.write_text(strict_json.dumps(before | after))


def verify(archive: Archive, path: Path | None = None) -> None:
    """Refuse an archive with another checksum than the published one.

    Args:
        archive: The archive.
        path: The file to read, if it is not in its place yet.

    Raises:
        GanbenchError: The file cannot be read, or has another checksum. The message says which file to put where.
    """
    kind = archive.kind.replace("-", "").lower()
    try:
        with (path or Path(archive.path)).open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise GanbenchError(f"data: {archive.path} cannot be read: {error.strerror}. {archive.how}") from None
    if found != archive.checksum:
        what, then = (
            (f"what was fetched for {archive.path}", "") if path else (archive.path, "Remove it, then try again. ")
        )
        raise GanbenchError(f"data: {what} has the {archive.kind} {found}. {then}{archive.how}")


def verify_all(archives: Iterable[Archive]) -> None:
    """Verify archives, see `verify`."""
    for archive in archives:
        verify(archive)


def _state(archive: Archive) -> str | None:
    """What distinguishes an archive's file from others without reading it; None of one that is not there."""
    try:
        stat = Path(archive.path).stat()
    except OSError:
        return None
    return f"{stat.st_size} {stat.st_mtime_ns} {archive.checksum}"


def _read(known: Path) -> dict[str, str]:
    try:
        return dict(json.loads(known.read_text()).items())
    except (OSError, ValueError, AttributeError):
        return {}
