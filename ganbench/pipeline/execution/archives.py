"""Download of the archives of public data sets, and their verification."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from ganbench.core.errors import GanbenchError
from ganbench.data import Archive
from ganbench.pipeline.execution.downloads import download
from ganbench.pipeline.execution.file_digests import RememberedFiles

VERIFIED = ".archives.json"  # file in the study's folder with the archives that have been verified


def fetch(archive: Archive) -> None:
    """Download an archive if the file does not exist, and verify it.

    Raises:
        GanbenchError: the file is to be put there by hand, the download failed, or the file has another checksum. The
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
        archives: the archives.
        known: the file that remembers which were verified. It is written where it can be.

    Raises:
        GanbenchError: as of `fetch`.
    """
    remembered = RememberedFiles(known)
    for archive in archives:
        remembered.get(archive.path, partial(_verified, archive), expected=archive.checksum)
    remembered.write()


def _verified(archive: Archive) -> str:
    fetch(archive)
    return archive.checksum


def verify(archive: Archive, path: Path | None = None) -> None:
    """Refuse an archive with another checksum than the published one.

    Args:
        archive: the archive.
        path: the file to read, if it is not in its place yet.

    Raises:
        GanbenchError: the file cannot be read, or has another checksum. The message says which file to put where.
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
