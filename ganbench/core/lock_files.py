"""Lock files: their creation, the kernel's lock on them, and the records of their holders."""

from __future__ import annotations

import errno
import fcntl
import getpass
import json
import os
import socket
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from ganbench.core import strict_json

RECORD_BYTES = 1024  # size of a lock file
FILE_MODE = 0o666  # users who share a folder share its lock files
LINKS_UNSUPPORTED = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
# Errors of file systems without kernel locks, on which only leases protect.
LOCKS_UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


def open_or_create(path: Path, token: str) -> TextIO:
    """Open a lock file, which is created and signed if it does not exist.

    Args:
        path: the lock file.
        token: the signature for a new file.

    Returns:
        The open file. A file of another user may be open for reading only, which suffices for the kernel's lock.
    """
    if not path.exists():
        new = path.with_name(f".{path.name}.{token}.new")
        try:
            with os.fdopen(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE), "r+") as file:
                with suppress(OSError):
                    os.fchmod(file.fileno(), FILE_MODE)
                write_owner(file, token)
            _link_into_place(new, path)
        finally:
            new.unlink(missing_ok=True)
    try:
        # Without O_CREAT, which Linux refuses for files of other users in sticky folders such as /tmp.
        return os.fdopen(os.open(path, os.O_RDWR), "r+")
    except PermissionError:
        return path.open()


def _link_into_place(new: Path, path: Path) -> None:
    """Give a complete file its final name, unless a file of that name exists."""
    with suppress(FileExistsError):
        try:
            os.link(new, path)
        except OSError as error:
            if isinstance(error, FileExistsError) or error.errno not in LINKS_UNSUPPORTED:
                raise
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))  # empty, to be signed later


def try_flock(file: TextIO) -> bool:
    """Take the kernel's lock.

    Returns:
        Whether the file system supports locks of the kernel.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in LOCKS_UNSUPPORTED:
            raise
        return False
    return True


def is_same_file(file: TextIO, path: Path) -> bool:
    """Whether an open file is still the file at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def read_owner(file: TextIO) -> dict[str, Any]:
    """The last record that a holder wrote into a lock file; empty if the file has no valid record."""
    try:
        owner = json.loads(os.pread(file.fileno(), RECORD_BYTES, 0))
        return owner if isinstance(owner, dict) else {}
    except (ValueError, RecursionError):
        return {}


def write_owner(file: TextIO, token: str) -> None:
    """Sign a lock file with the record of this process.

    Args:
        file: the open lock file. A file that is open for reading only is left unchanged.
        token: the signature.
    """
    if not file.writable():
        return  # another user's file: only the kernel's lock protects, and the old record stays
    now = datetime.now(UTC).isoformat(timespec="seconds")
    owner = {
        "user": user_name(),
        "host": socket.gethostname(),
        "machine": machine_id(),
        "pid": os.getpid(),
        "since": now,
    }
    # One write of constant length, so that no reader sees a partial record.
    os.pwrite(file.fileno(), strict_json.dumps(owner | {"token": token}).ljust(RECORD_BYTES).encode(), 0)
    os.fsync(file.fileno())


def file_system_time(folder: Path) -> float:
    """The current time by the clock of the file system, which also stamps the leases."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".time-") as probe:
        return os.fstat(probe.fileno()).st_mtime


def machine_id() -> str:
    """An identifier of the running kernel. Containers on a machine share it, as they share the kernel's locks."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()


def user_name() -> str:
    """The name of the user, or the user's number if the machine knows no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
