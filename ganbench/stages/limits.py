"""Limits of time and memory on code that may never end, in the process that runs it."""

from __future__ import annotations

import os
import re
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

WALL = 6  # times the limit of processor time, for what waits instead of computing
MEMORY_LIMIT = 16 * 2**30  # bytes; or SHARE of what the machine has free, where that is less
SHARE = 0.75


class TooLong(BaseException):
    """Raised in code that computes, or waits, for longer than it may; no `except Exception` of that code takes it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End the block after so many seconds of processor time, or `WALL` times as many of the clock. Blocks may stand in
    one another; the time of an inner one does not count for the outer one.

    Raises:
        TooLong: from wherever the block is.
    """

    def over(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"not done after {seconds:g} seconds of processor time")

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
    limit = int(min(MEMORY_LIMIT, SHARE * _available()))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard not in (resource.RLIM_INFINITY, -1):
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return limit


def _available() -> int:
    """Bytes of main memory that a process may have without another one's going to disk."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return 1024 * int(found[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
