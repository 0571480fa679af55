"""Locks between processes, of one machine or of several that share a file system.

A lock is a file that says who holds it. On one machine it is an advisory lock of the kernel's, gone with its holder
however that ends. Other machines may not see such a lock (not every network file system passes it on), so the file is
also a lease: its holder renews its time stamp, and a machine that is not the holder's respects it until it has not been
renewed for `LEASE_SECONDS`. Time stamps are compared with one another only, never with a machine's own clock.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError

LEASE_SECONDS = 120.0
RENEW_SECONDS = 20.0
SETTLE_SECONDS = 1.0
POLL_SECONDS = 0.5  # between two tries of who waits
LENGTH = 1024  # bytes of a lock's file
EVERYONE = 0o666  # colleagues who share a folder share its locks
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # said by file systems that have none: the lease must do


class Lock:
    """A lock that is held, until it is released or the process ends."""

    def __init__(self, path: Path, file: TextIO, token: str) -> None:
        self.path = path
        self._file, self._token = file, token
        self._released = threading.Event()
        threading.Thread(target=self._renew, name=f"lease of {path}", daemon=True).start()

    def release(self) -> None:
        """Give it up; the file goes, so that no other machine waits for the lease to end."""
        if not self._released.is_set():
            self._released.set()
            with suppress(OSError):  # another user's file, in a folder that protects it
                if _same(self._file, self.path) and self._ours():
                    self.path.unlink()
            self._file.close()

    def _renew(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            with suppress(OSError, ValueError):  # a file system that does not answer for a while; or just released
                if self._ours():
                    os.utime(self._file.fileno())

    def _ours(self) -> bool:
        """Whether nobody has taken it: another machine does where this process slept for longer than the lease."""
        return not self._file.writable() or _owner(self._file).get("token") == self._token

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def try_lock(path: Path) -> Lock | None:
    """Take the lock at `path` without waiting; None if somebody else holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    token = uuid4().hex
    while True:
        try:
            file = _open(path, token)
        except FileNotFoundError:  # its holder released it just now
            continue
        try:
            known = _flock(file)
        except OSError as error:
            file.close()
            if isinstance(error, BlockingIOError):
                return None
            raise
        if not _same(file, path):  # its holder released it between our opening and our locking it
            file.close()
            continue
        owner = _owner(file)
        if owner.get("token") == token:  # it was not there, and appeared with our name in it
            return Lock(path, file, token)
        if _leased(owner, file, path, known):
            file.close()
            return None
        _sign(file, token)
        # Where kernels do not know of one another's locks, two may have come this far; who signed last has it.
        if file.writable() and not (known and owner.get("machine") == machine()):
            time.sleep(SETTLE_SECONDS)
            if _owner(file).get("token") != token:
                file.close()
                return None
        return Lock(path, file, token)


@contextmanager
def exclusive(path: Path, what: str, *, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock at `path` for the block.

    Args:
        path: the lock file.
        what: the thing that is locked, for the message.
        waiting: wait for as long as somebody else holds it, instead of giving up; called once, with who that is.

    Raises:
        GanbenchError: the file cannot be written, or somebody else holds it; the message says who, where and since
            when.
    """
    said = False
    try:
        while (lock := try_lock(path)) is None:
            if waiting is None:
                raise GanbenchError(f"{what} is in use by {holder(path)}. Wait until that ends, or stop it.")
            if not said:
                waiting(holder(path))
                said = True
            time.sleep(POLL_SECONDS)
    except OSError as error:
        raise GanbenchError(f"{what} needs the lock file {path}, which cannot be written: {error.strerror}.") from error
    with lock:
        yield


def holder(path: Path) -> str:
    """Who holds the lock, in words."""
    try:
        owner = json.loads(path.read_text())
        return f"process {owner['pid']} of {owner['user']} on {owner['host']}, since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def held(path: Path) -> str | None:
    """Who holds the lock, in words; None where nobody does. A look that takes nothing and writes nothing.

    So it goes by this machine's clock, and asks the kernel for its holder's process, not for its lock: whoever wants
    the lock in that instant gets it.
    """
    try:
        owner, age = json.loads(path.read_text()), time.time() - path.stat().st_mtime
        here = (owner["machine"], owner["host"]) == (machine(), socket.gethostname())  # containers have other hosts
        alive = Path(f"/proc/{owner['pid']}").exists() if here else age < LEASE_SECONDS
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return holder(path) if alive else None


def user() -> str:
    """The user's name, or number where the machine has no name for it, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def machine() -> str:
    """This machine since its start: containers on it share the name, as they share its kernel's locks."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()


def _open(path: Path, token: str) -> TextIO:
    """The file, made if need be, with our name in it; only readable where it is another user's, which is enough to
    lock it."""
    if not path.exists():
        new = path.with_name(f".{path.name}.{token}.new")
        try:
            with os.fdopen(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, EVERYONE), "r+") as file:
                with suppress(OSError):
                    os.fchmod(file.fileno(), EVERYONE)
                _sign(file, token)
            _appear(new, path)
        finally:
            new.unlink(missing_ok=True)
    try:
        # Without O_CREAT: Linux refuses that on files of others in a folder like /tmp.
        return os.fdopen(os.open(path, os.O_RDWR), "r+")
    except PermissionError:
        return path.open()


def _appear(new: Path, path: Path) -> None:
    """Give a file its name if nobody has it, at once and with all that is in it."""
    with suppress(FileExistsError):
        try:
            os.link(new, path)
        except OSError as error:
            if isinstance(error, FileExistsError) or error.errno not in NO_LINKS:
                raise
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, EVERYONE))  # empty, and to be signed


def _flock(file: TextIO) -> bool:
    """Take the kernel's lock; whether the file system has such locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def _same(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _owner(file: TextIO) -> dict[str, Any]:
    """Who signed a lock's file last; nothing where nobody did."""
    try:
        owner = json.loads(os.pread(file.fileno(), LENGTH, 0))
        return owner if isinstance(owner, dict) else {}
    except (ValueError, RecursionError):
        return {}


def _leased(owner: Mapping[str, Any], file: TextIO, path: Path, known: bool) -> bool:
    """Whether somebody holds the lock of whom the kernel need not know.

    Args:
        owner: who signed the file.
        known: whether the kernel's lock is ours, so that nobody on this machine holds it.
    """
    if not {"machine", "pid"} <= owner.keys():
        return False
    if owner["machine"] != machine():
        return _now(path.parent) - os.fstat(file.fileno()).st_mtime < LEASE_SECONDS
    return not known and Path(f"/proc/{owner['pid']}").exists()


def _now(folder: Path) -> float:
    """The time of the file system, which stamps the leases too."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".time-") as probe:
        return os.fstat(probe.fileno()).st_mtime


def _sign(file: TextIO, token: str) -> None:
    if not file.writable():
        return  # another user's: the kernel's lock holds, and the name in the file is an older one
    now = datetime.now(UTC).isoformat(timespec="seconds")
    owner = {"user": user(), "host": socket.gethostname(), "machine": machine(), "pid": os.getpid(), "since": now}
    # In one piece and always of one length, so that nobody reads half of it.
    os.pwrite(file.fileno(), strict_json.dumps(owner | {"token": token}).ljust(LENGTH).encode(), 0)
    os.fsync(file.fileno())
