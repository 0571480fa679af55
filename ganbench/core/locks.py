"""Locks between processes: an advisory lock on a file that says who holds it, gone with its holder however it ends."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from ganbench.core.errors import GanbenchError


def try_lock(path: Path) -> TextIO | None:
    """Take the lock at `path` without waiting.

    Returns:
        an open file that holds the lock until it is closed or the process ends; None if another process holds it.
    """
    return _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock(path: Path, operation: int) -> TextIO | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    try:
        fcntl.flock(file, operation)
    except BlockingIOError:
        file.close()
        return None
    file.seek(0)
    file.truncate()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    json.dump({"user": _user(), "host": socket.gethostname(), "pid": os.getpid(), "since": now}, file)
    file.flush()
    return file


@contextmanager
def exclusive(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock at `path` for the block. The file stays: removing it would let two holders in.

    Args:
        path: the lock file.
        what: the thing that is locked, for the message.
        wait: for as long as somebody else holds it, instead of giving up.

    Raises:
        GanbenchError: the file cannot be written, or somebody else holds it; the message says who, where and since
            when.
    """
    try:
        file = _lock(path, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise GanbenchError(f"{what} needs the lock file {path}, which cannot be written: {error.strerror}.") from error
    if file is None:
        raise GanbenchError(f"{what} is in use by {holder(path)}. Wait until that ends, or stop it.")
    with file:
        yield


def holder(path: Path) -> str:
    """Who holds the lock, in words."""
    try:
        owner = json.loads(path.read_text())
        return f"process {owner['pid']} of {owner['user']} on {owner['host']}, since {owner['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"


def _user() -> str:
    """The user's name, or number where the machine has no name for it, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
