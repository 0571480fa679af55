"""One digest of the files that a data set reads, which may be hundreds of thousands.

The plan of a study is made by every job, so the files of a large data set are not read each time: a file in the results
folder remembers the digest of each, with its size and time stamp, and only files that changed are read again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.source_digests import digest, file_digest
from ganbench.data import Archive

FILES = ".files.json"  # file in the study's folder with the digests of its data sets' files
MANY = 100  # files; fewer are read each time, whatever their time stamps say
SETTLED_SECONDS = 10.0  # age from which a time stamp is trusted: a file may change twice within its resolution


def data_digest(files: Sequence[str], archives: Sequence[Archive], known: Path) -> str:
    """The digest of all that a data set reads.

    Args:
        files: Its files.
        archives: Its archives, which need not be there yet: their checksums stand for them.
        known: As of `files_digest`.
    """
    value = files_digest(files, known)
    return digest([value, *((Path(each.path).name, each.checksum) for each in archives)]) if archives else value


def files_digest(paths: Sequence[str], known: Path) -> str:
    """The digest of the content and the names of files, in their order.

    Names are those below the files' common folder, wherever that lies: labels may be names of folders.

    Args:
        paths: The files.
        known: The file that remembers digests. It is written where it can be.
    """
    if len(paths) < MANY:
        return digest(_named(paths, [file_digest(Path(path)) for path in paths]))
    before = _read(known)
    now, after = time.time(), {}
    for path in paths:
        stat = Path(path).stat()
        key = f"{stat.st_size} {stat.st_mtime_ns}"
        key_before, value = before.get(path, ("", ""))
        if key != key_before:
            value = file_digest(Path(path))
        after[path] = (key if now - stat.st_mtime > SETTLED_SECONDS else "", value)
    if any(before.get(path) != each for path, each in after.items()):
        with suppress(OSError), atomic_write(known) as temporary:
            temporary.write_text(strict_json.dumps(before | after))
    return digest(_named(paths, [after[path][1] for path in paths]))


def _named(paths: Sequence[str], values: Sequence[str]) -> list[tuple[str, str]]:
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths]) if paths else ""
    return [(os.path.relpath(path, folder), value) for path, value in zip(paths, values, strict=True)]


def _read(known: Path) -> dict[str, tuple[str, str]]:
    try:
        return {path: (key, value) for path, (key, value) in json.loads(known.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
