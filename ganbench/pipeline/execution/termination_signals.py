"""Orderly ends of jobs: on a signal, or before its time runs out, a job saves its work and ends by itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ganbench.core.errors import GanbenchError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
TIME_OVER = "the job's time is nearly over"  # the reason of a job that ends ahead of its time, however early
TIMELY = 90.0  # a signal within so many seconds of the end of the job's time is attributed to the time limit


class Stopped(GanbenchError):
    """The job was stopped by a signal, or because its time is over.

    Args:
        message: the message.
        of_time: whether the job ends for lack of time, so that its next attempt needs more of it.
    """

    def __init__(self, message: str, *, of_time: bool) -> None:
        super().__init__(message)
        self.of_time = of_time


class StopRequest:
    """The reasons for a job to end: signals, and the end of the time that a scheduler gave it.

    Args:
        end: the Unix time at which the job is killed; None for no limit.
    """

    def __init__(self, end: float | None = None) -> None:
        self._end = end
        self._deferring = False
        self._ending = False
        self._signal: str | None = None  # message of the first signal

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Raise `Stopped` on a signal while the block runs."""
        before = {number: signal.signal(number, self._received) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only note signals while the block runs. The block asks for a `reason` to end where it can save its work."""
        outer, self._deferring = self._deferring, True
        try:
            yield
        finally:
            self._deferring = outer

    def reason(self, seconds: float) -> str | None:
        """The reason to end now; None if the job may go on.

        Args:
            seconds: the time that the job may need until it has ended at its next opportunity.
        """
        if self._signal is not None:
            return self._signal
        if self._end is not None and time.time() + seconds >= self._end:
            return TIME_OVER
        return None

    def stop(self, reason: str, then: str = "") -> Stopped:
        """The exception to end the job with. After this call, signals raise no exception.

        Args:
            reason: the reason to end.
            then: what the message says will become of the work.

        Returns:
            The exception, for the caller to raise.
        """
        self._ending = True
        over = reason == TIME_OVER or (self._end is not None and time.time() >= self._end - TIMELY)
        return Stopped(f"stopped: {reason}{then and '; ' + then}", of_time=over)

    def _received(self, number: int, _: Any) -> None:
        self._signal = self._signal or f"received {signal.Signals(number).name}"
        # Schedulers often signal twice; the second signal must not interrupt the clean-up.
        if not self._deferring and not self._ending:
            raise self.stop(self._signal)
