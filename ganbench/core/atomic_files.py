"""Writing files so that whoever looks finds the old one or the new one, and never half of one."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

LEFT_SECONDS = 86_400.0  # nobody writes to one file for longer, whose process must have been killed


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place when the block ends without an error.

    Renaming is atomic, on network file systems too; and what is renamed has reached the disk before.

    Raises:
        OSError: the folder cannot be made or written. Nothing at `path` has changed then.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:12]}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path)
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _tidy(path: Path) -> None:
    """Remove what processes left that were killed while they wrote to `path`."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError):  # somebody else was faster
            if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                left.unlink()
