"""One digest of the files that a data set reads, which may be hundreds of thousands.

The plan of a study is made by every job, so the files of a large data set are not read each time: a file in the results
folder remembers the digest of each, with its size and time stamp, and only files that changed are read again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.source_digests import digest, file_digest
from ganbench.data import Archive

FILES = ".files.json"  # file in the study's folder with the digests of its data sets' files
MIN_CACHED_FILES = 100  # files; fewer are read each time, whatever their time stamps say
SETTLED_SECONDS = 10.0  # age from which a time stamp is trusted: a file may change twice within its resolution


class RememberedFiles:
    """What was found out about files, remembered until their sizes or time stamps change.

    Args:
        known: the file that remembers it: by path, the file's stamp and what was found. It is written where it can be.
    """

    def __init__(self, known: Path) -> None:
        self._known, self._before, self._now = known, _read(known), time.time()
        self._after: dict[str, tuple[str, str]] = {}

    def get(self, path: str, find: Callable[[], str], expected: str | None = None) -> str:
        """What is remembered of a file; what `find` returns of one that is not known, or has changed.

        Args:
            path: the file.
            find: reads the file, after it made one that is missing.
            expected: what is remembered counts only if it is this; None for anything.
        """
        stamp = self._stamp(path)  # before it is read: a file that changes meanwhile is read again
        known, value = self._before.get(path, ("", ""))
        if not stamp or known != stamp or expected not in (None, value):
            value = find()
        self._after[path] = (stamp, value)
        return value

    def write(self) -> None:
        """Remember what was found."""
        if any(self._before.get(path) != each for path, each in self._after.items()):
            with suppress(OSError), atomic_write(self._known) as temporary:
                temporary.write_text(strict_json.dumps(self._before | self._after))

    def _stamp(self, path: str) -> str:
        """Size and time stamp of a file; empty if it is missing, or may change again within its time stamp."""
        try:
            stat = Path(path).stat()
        except OSError:
            return ""
        return f"{stat.st_size} {stat.st_mtime_ns}" if self._now - stat.st_mtime > SETTLED_SECONDS else ""


def data_digest(files: Sequence[str], archives: Sequence[Archive], known: Path) -> str:
    """The digest of all that a data set reads.

    Args:
        files: its files.
        archives: its archives, which need not be there yet: their checksums stand for them.
        known: as of `files_digest`.
    """
    value = files_digest(files, known)
    return digest([value, *((Path(each.path).name, each.checksum) for each in archives)]) if archives else value


def files_digest(paths: Sequence[str], known: Path) -> str:
    """The digest of the content and the names of files, in their order.

    Names are those below the files' common folder, wherever that lies: labels may be names of folders.

    Args:
        paths: the files.
        known: the file that remembers digests. It is written where it can be.
    """
    if len(paths) < MIN_CACHED_FILES:
        return digest(_named(paths, [file_digest(Path(path)) for path in paths]))
    remembered = RememberedFiles(known)
    values = [remembered.get(path, partial(file_digest, Path(path))) for path in paths]
    remembered.write()
    return digest(_named(paths, values))


def _named(paths: Sequence[str], values: Sequence[str]) -> list[tuple[str, str]]:
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths]) if paths else ""
    return [(os.path.relpath(path, folder), value) for path, value in zip(paths, values, strict=True)]


def _read(known: Path) -> dict[str, tuple[str, str]]:
    try:
        return {path: (key, value) for path, (key, value) in json.loads(known.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
