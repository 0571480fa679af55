"""Locks between processes of one machine, and leases between machines."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ganbench.core import locks
from ganbench.core.errors import GanbenchError
from ganbench.core.lock_files import machine_id
from ganbench.core.locks import current_holder, describe_holder, hold_lock, try_lock

HOLD = """
import sys, time
from pathlib import Path
from ganbench.core.locks import try_lock
lock = try_lock(Path(sys.argv[1]))
print("held" if lock else "refused", flush=True)
time.sleep(600)
"""


def signed(path, **changes) -> None:
    """A lock file as another holder leaves it."""
    owner = {"user": "ada", "host": "node7", "machine": "another", "pid": 42, "since": "2026-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(owner | changes))


def aged(path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_a_released_lock_leaves_no_file_and_can_be_taken_again(tmp_path):
    path = tmp_path / ".lock"
    for _ in range(2):
        with hold_lock(path, "the folder"):
            assert current_holder(path) == describe_holder(path)
        assert not path.exists()
        assert current_holder(path) is None


def test_a_killed_holder_holds_no_longer(tmp_path):
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert try_lock(path) is None
        process.send_signal(signal.SIGKILL)
    assert path.exists(), "it could not remove its file"
    with hold_lock(path, "the folder"):
        assert str(os.getpid()) in describe_holder(path)


def test_one_of_many_gets_it(tmp_path):
    path = tmp_path / ".lock"
    signed(path)
    aged(path, 2 * locks.LEASE_SECONDS)  # all find a lease that has run out
    processes = [
        subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    try:
        said = sorted(process.stdout.readline().strip() for process in processes)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert said == ["held", "refused", "refused", "refused"]


def test_another_machine_s_lease_is_respected_until_it_has_run_out(tmp_path):
    path = tmp_path / ".lock"
    signed(path)
    assert try_lock(path) is None
    message = "the folder is in use by process 42 of ada on node7, since 2026-01-01"
    with pytest.raises(GanbenchError, match=message), hold_lock(path, "the folder"):
        pass
    aged(path, locks.LEASE_SECONDS - 30)
    assert try_lock(path) is None
    aged(path, 60)
    with hold_lock(path, "the folder"):
        assert json.loads(path.read_text())["machine"] == machine_id()


def test_a_lock_that_another_machine_took_is_left_to_it(tmp_path, monkeypatch):
    """This process slept for longer than its lease."""
    path = tmp_path / ".lock"
    lock = try_lock(path)
    signed(path)
    lock.release()
    assert json.loads(path.read_text())["host"] == "node7"


def test_of_two_machines_that_find_a_lease_over_one_gets_it(tmp_path, monkeypatch):
    path = tmp_path / ".lock"
    signed(path)
    aged(path, 2 * locks.LEASE_SECONDS)
    monkeypatch.setattr(time, "sleep", lambda _: signed(path, host="node8"))  # while we wait to see whether it is ours
    assert try_lock(path) is None
    assert "node8" in describe_holder(path)


def test_a_lock_appears_with_its_holder_in_it(tmp_path, monkeypatch):
    path = tmp_path / ".lock"
    seen = []
    monkeypatch.setattr(fcntl, "flock", lambda *_: seen.append(json.loads(path.read_text())["pid"]))
    with hold_lock(path, "the folder"):
        assert seen == [os.getpid()]
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_links_will_do(tmp_path, monkeypatch):
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(locks, "SETTLE_SECONDS", 0.01)
    with hold_lock(tmp_path / ".lock", "the folder"):
        assert try_lock(tmp_path / ".lock") is None
    assert list(tmp_path.iterdir()) == []


def test_a_lease_is_renewed(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "RENEW_SECONDS", 0.01)
    path = tmp_path / ".lock"
    with hold_lock(path, "the folder"):
        aged(path, 1000)
        old = path.stat().st_mtime
        deadline = time.monotonic() + 60
        while path.stat().st_mtime == old and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > old + 900


def test_a_file_system_without_locks_is_served_by_the_lease(tmp_path, monkeypatch):
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(locks, "SETTLE_SECONDS", 0.01)
    path = tmp_path / ".lock"
    with hold_lock(path, "the folder"):
        assert try_lock(path) is None, "a living process of this machine holds it"
    signed(path, machine=machine_id(), pid=2**22 + 1)  # above the largest number that Linux gives a process
    with hold_lock(path, "the folder"):
        pass


def test_waiting_says_once_for_whom_and_goes_on_when_that_ends(tmp_path, monkeypatch):
    path, said, slept = tmp_path / ".lock", [], []
    first = try_lock(path)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            first.release()

    monkeypatch.setattr(time, "sleep", sleep)
    with hold_lock(path, "the job", on_wait=said.append):
        assert current_holder(path)
    assert slept == [locks.POLL_SECONDS] * 3
    assert len(said) == 1
    assert f"process {os.getpid()}" in said[0]


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(GanbenchError, match=r"the job needs the lock file .* which cannot be written"),
        hold_lock(tmp_path / "file" / ".lock", "the job"),
    ):
        pass
