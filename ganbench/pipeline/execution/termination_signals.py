"""What SIGTERM does: a job that is told to end, or whose time runs out, ends by itself and keeps what it has."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ganbench.core.errors import GanbenchError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
TIMELY = 90.0  # a signal this many seconds before the job's time is over, or later, is about the time


class Stopped(GanbenchError):
    """The job was stopped from outside; `of_time` where its time was over."""

    def __init__(self, message: str, *, of_time: bool) -> None:
        super().__init__(message)
        self.of_time = of_time


class StopRequest:
    """What tells a job to end: signals, and the end of the time that a scheduler gave it.

    Args:
        end: The Unix time at which the job is killed, if there is one.
    """

    def __init__(self, end: float | None = None) -> None:
        self._end = end
        self._deferring = False
        self._ending = False
        self._signal: str | None = None  # the first that came

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Raise `Stopped` on a signal, for the block."""
        before = {number: signal.signal(number, self._received) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within the block a signal is only noted: whoever works there asks `reason`, and ends where it keeps what it
        has."""
        outer, self._deferring = self._deferring, True
        try:
            yield
        finally:
            self._deferring = outer

    def reason(self, seconds: float) -> str | None:
        """Why to end now; None if there is time.

        Args:
            seconds: How long it may take until there is another chance to end, and to keep what there is.
        """
        if self._signal is not None:
            return self._signal
        if self._end is not None and time.time() + seconds >= self._end:
            return "the job's time is nearly over"
        return None

    def stop(self, reason: str, then: str = "") -> Stopped:
        """The exception to end with; no signal raises another one from now on.

        Args:
            reason: Why.
            then: What is kept, and what becomes of it.
        """
        self._ending = True
        over = self._end is not None and time.time() >= self._end - TIMELY
        return Stopped(f"stopped: {reason}{then and '; ' + then}", of_time=over)

    def _received(self, number: int, _: Any) -> None:
        self._signal = self._signal or f"received {signal.Signals(number).name}"
        # Once is enough: whoever stops a job often signals twice, and the second must not interrupt the tidying up.
        if not self._deferring and not self._ending:
            raise self.stop(self._signal)
