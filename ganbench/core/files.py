"""Writing files so that whoever looks finds the old one or the new one, and never half of one."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place when the block ends without an error.

    Renaming is atomic, on network file systems too; and what is renamed has reached the disk before.

    Raises:
        OSError: the folder cannot be made or written. Nothing at `path` has changed then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):  # by a process that was killed while it wrote
        left.unlink(missing_ok=True)
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
