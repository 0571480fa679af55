"""Limits of time and memory for code that may not end, in the process that runs it."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ganbench.pipeline.execution.memory import machine_memory

WALL = 6  # limit of elapsed time, as a multiple of the limit of processor time, for code that waits
SHARE = 0.75  # share of the machine's memory that a trial may take


class TooLong(BaseException):
    """Raised in code that exceeds a time limit. An `except Exception` in that code does not catch it."""


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Limit the time of the block. Blocks may be nested; the time of an inner block does not count for the outer one.

    Args:
        seconds: the limit of processor time. The limit of elapsed time is `WALL` times as long. None for no limit,
            neither of this block nor of those around it.

    Raises:
        TooLong: the block took longer. It is raised at the line that the block has reached.
    """

    limit, elapsed = (0.0, 0.0) if seconds is None else (seconds, WALL * seconds)  # 0 stops a timer

    def over(number: int, frame: FrameType | None) -> None:
        waited = f"{elapsed:g} seconds" if number == signal.SIGALRM else f"{limit:g} seconds of processor time"
        raise TooLong(f"not done after {waited}")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, limit), signal.SIGALRM: (signal.ITIMER_REAL, elapsed)}
    handlers = {number: signal.signal(number, over) for number in timers}
    # The timers repeat every second, since an exception in a `__del__` is lost.
    outer = {timer: signal.setitimer(timer, most, 1.0) for timer, most in timers.values()}
    try:
        yield
    finally:
        for timer, left in outer.items():
            signal.setitimer(timer, *left)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def limit_memory() -> int:
    """Limit the memory that this process may allocate. Reserved memory that is not used, as by CUDA, does not count.

    Returns:
        The limit in bytes.
    """
    limit = int(SHARE * machine_memory())
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard not in (resource.RLIM_INFINITY, -1):
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return limit
