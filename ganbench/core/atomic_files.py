"""Atomic writes: a reader finds the old file or the new one, never a part of one."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

ABANDONED_SECONDS = 86_400.0  # age at which a temporary file's process counts as killed


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, renamed to `path` when the block ends without an error.

    Renaming is atomic, on network file systems too. The content is synced to the disk before the renaming.

    Args:
        path: the file; its folder is created.

    Yields:
        The path of the temporary file, to be written in the block.

    Raises:
        OSError: the folder cannot be created or written. The file at `path` is unchanged then.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:12]}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote to `path`."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError):  # another process was faster
            if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                left.unlink()
