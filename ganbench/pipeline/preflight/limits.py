"""Limits of time and memory on code that may never end, in the process that runs it."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

WALL = 6  # times the limit of processor time, for what waits instead of computing
SHARE = 0.75  # of the machine's memory, that a trial may take
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container: versions 2, 1


class TooLong(BaseException):
    """Raised in code that computes, or waits, for longer than it may; no `except Exception` of that code takes it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End the block after so many seconds of processor time, or `WALL` times as many of the clock. Blocks may stand in
    one another; the time of an inner one does not count for the outer one.

    Raises:
        TooLong: The block took longer; raised from wherever it is.
    """

    def over(number: int, frame: FrameType | None) -> None:
        waited = f"{WALL * seconds:g} seconds" if number == signal.SIGALRM else f"{seconds:g} seconds of processor time"
        raise TooLong(f"not done after {waited}")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, WALL * seconds)}
    handlers = {number: signal.signal(number, over) for number in timers}
    # And again every second: where what is raised is lost, as in a __del__.
    outer = {timer: signal.setitimer(timer, limit, 1.0) for timer, limit in timers.values()}
    try:
        yield
    finally:
        for timer, left in outer.items():
            signal.setitimer(timer, *left)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def limit_memory() -> int:
    """Have allocations beyond the limit fail in this process; returns the limit, in bytes. What a process reserves and
    does not use, as CUDA does by the terabyte, does not count."""
    limit = int(SHARE * machine_memory())
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard not in (resource.RLIM_INFINITY, -1):
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return limit


def machine_memory() -> int:
    """Bytes of main memory of this machine, or of the container that it is."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [path.read_text().strip() for path in map(Path, CGROUPS) if path.exists()]
    return min([installed, *(int(limit) for limit in limits if limit.isdigit())])
