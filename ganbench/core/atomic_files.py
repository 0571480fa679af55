"""Atomic writes: a reader finds the complete old file or the complete new file."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

ABANDONED_SECONDS = 86_400.0  # age at which a temporary file is taken for one of a killed process


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Provide a temporary file beside `path`, and rename it to `path` when the block ends without an error.

    Renaming is atomic, also on network file systems. The content is on the disk before the file is renamed.

    Args:
        path: the file; its folder is created.

    Yields:
        The path of the temporary file, to be written in the block.

    Raises:
        OSError: a folder that cannot be created or written. The file at `path` is unchanged then.
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
        with suppress(OSError):  # another process removed the file first
            if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                left.unlink()
