"""Locks between processes of one machine, or of several machines with a shared file system.

A lock is a file that names its holder. The holder has the kernel's advisory lock on the file, which ends with the
holder's process. Other machines may not see the kernel's lock, since not every network file system passes it on. So the
file is also a lease: the holder renews its time stamp, and other machines respect the lock until the time stamp is
`LEASE_SECONDS` old. To take a lock, time stamps are compared only with one another, never with a machine's clock.

No library meets two measured needs: to take over the lease of a dead machine in a single try, and to take over the lock
of a killed process at once. The `SoftFileLease` of filelock 4.2.11 takes over the lease of a dead machine only after
watching it for a whole lease, so that a single try fails (measured with a lease of 120 s that was 1000 s old).
It never takes over the file of another user's killed process in a sticky folder such as /tmp. flufl.lock 10.0.0 needs
synchronised clocks and hard links. It keeps the lock of a killed process of the same machine until the lifetime of the
lock ends.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

from ganbench.core.errors import GanbenchError
from ganbench.core.lock_files import (
    file_system_time,
    is_same_file,
    machine_id,
    open_or_create,
    read_owner,
    try_flock,
    write_owner,
)

LEASE_SECONDS = 120.0  # age of the time stamp at which a lease ends
RENEW_SECONDS = 20.0  # between two renewals of a lease
SETTLE_SECONDS = 1.0  # wait after signing, until signatures of other machines are visible
POLL_SECONDS = 0.5  # between two tries while waiting


class Lock:
    """A held lock, until it is released or the process ends.

    Args:
        path: the lock file.
        file: the open lock file, locked and signed.
        token: the signature of this holder.
    """

    def __init__(self, path: Path, file: TextIO, token: str) -> None:
        self.path = path
        self._file, self._token = file, token
        self._released = threading.Event()
        threading.Thread(target=self._renew, name=f"lease of {path}", daemon=True).start()

    def release(self) -> None:
        """Release the lock and remove its file, so that no other machine waits for the lease to end."""
        if not self._released.is_set():
            self._released.set()
            with suppress(OSError):  # another user's file, in a folder that protects it
                if is_same_file(self._file, self.path) and self._is_still_held():
                    self.path.unlink()
            self._file.close()

    def _renew(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            with suppress(OSError, ValueError):  # the file system does not answer, or the lock was just released
                if self._is_still_held():
                    os.utime(self._file.fileno())

    def _is_still_held(self) -> bool:
        """Whether no other machine has taken over the lock, as happens after a suspension longer than the lease."""
        return not self._file.writable() or read_owner(self._file).get("token") == self._token

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def try_lock(path: Path) -> Lock | None:
    """Take a lock without waiting.

    Args:
        path: the lock file; its folder is created.

    Returns:
        The lock; None if another process holds it.

    Raises:
        OSError: the lock file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    token = uuid4().hex
    while True:
        try:
            file = open_or_create(path, token)
        except FileNotFoundError:  # the holder has just released the lock
            continue
        try:
            kernel_locked = try_flock(file)
        except OSError as error:
            file.close()
            if isinstance(error, BlockingIOError):
                return None
            raise
        if not is_same_file(file, path):  # the holder released the lock after this process opened the file
            file.close()
            continue
        owner = read_owner(file)
        if owner.get("token") == token:  # this process created the file, which was signed before it appeared
            return Lock(path, file, token)
        if _is_leased(owner, file, path, kernel_locked):
            file.close()
            return None
        write_owner(file, token)
        # Several machines may sign if their kernels do not see one another's locks. The last one to sign has the lock.
        if file.writable() and not (kernel_locked and owner.get("machine") == machine_id()):
            time.sleep(SETTLE_SECONDS)
            if read_owner(file).get("token") != token:
                file.close()
                return None
        return Lock(path, file, token)


@contextmanager
def hold_lock(path: Path, what: str, *, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a lock for a block.

    Args:
        path: the lock file.
        what: name of the protected object, for messages.
        on_wait: function that is called once with the holder if another process holds the lock, before waiting for its
            release. None raises an error instead of waiting.

    Raises:
        GanbenchError: a lock file that cannot be written, or a lock that another process holds. The message names the
            holder, its machine, and the time when it took the lock.
    """
    announced = False
    try:
        while (lock := try_lock(path)) is None:
            if on_wait is None:
                raise GanbenchError(f"{what} is in use by {describe_holder(path)}. Wait until that ends, or stop it.")
            if not announced:
                on_wait(describe_holder(path))
                announced = True
            time.sleep(POLL_SECONDS)
    except OSError as error:
        raise GanbenchError(f"{what} needs the lock file {path}, which cannot be written: {error.strerror}.") from error
    with lock:
        yield


def describe_holder(path: Path) -> str:
    """The holder that a lock file names: process, user, host and time; "another process" if it names none."""
    try:
        owner = json.loads(path.read_text())
        return f"process {owner['pid']} of {owner['user']} on {owner['host']}, since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def current_holder(path: Path) -> str | None:
    """The holder of a lock, as `describe_holder` describes it; None if nobody holds the lock.

    Nothing is locked or written, so that a process that tries to take the lock at this moment gets it. Therefore a
    holder on this machine is recognized by its process, and the age of any other lease is measured with this machine's
    clock.
    """
    try:
        owner, age = json.loads(path.read_text()), time.time() - path.stat().st_mtime
        here = (owner["machine"], owner["host"]) == (
            machine_id(),
            socket.gethostname(),
        )  # host names differ between containers
        alive = Path(f"/proc/{owner['pid']}").exists() if here else age < LEASE_SECONDS
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return describe_holder(path) if alive else None


def _is_leased(owner: Mapping[str, Any], file: TextIO, path: Path, kernel_locked: bool) -> bool:
    """Whether another holder exists whose lock the kernel does not show.

    Args:
        owner: record of the holder in the lock file.
        file: the open lock file.
        path: the lock file.
        kernel_locked: whether this process has the kernel's lock, which no other process of this machine holds then.
    """
    if not {"machine", "pid"} <= owner.keys():
        return False
    if owner["machine"] != machine_id():
        return file_system_time(path.parent) - os.fstat(file.fileno()).st_mtime < LEASE_SECONDS
    return not kernel_locked and Path(f"/proc/{owner['pid']}").exists()
