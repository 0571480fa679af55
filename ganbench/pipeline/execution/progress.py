"""Progress of long work: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganbench.core.formatting import format_duration, format_number

LINE_SECONDS = 10.0  # least time between two lines in a log
LITTLE = 0.05  # share of the work up to which the first report tells no rate: a first step also loads libraries
LOGGER = logging.getLogger("ganbench")

ProgressReport = Callable[[float], float]


@contextmanager
def progress(what: str, total: float, unit: str, done: float = 0) -> Iterator[ProgressReport]:
    """Show the progress of work.

    Args:
        what: the name of the work.
        total: the amount of work, in `unit`s.
        unit: the unit of the amounts, plural: "run-steps".
        done: the amount that was done before, which does not count for the rate.

    Yields:
        A function to call with the amount done so far. It returns the rate in units per second: since the first report,
        or since the start for the first report and for the last; 0 for a first report of little.
    """
    began = said = time.monotonic()
    last = done
    first: tuple[float, float] | None = None  # time and amount of the first report

    def rate_of(amount: float) -> float:
        """The rate without the slow first step; 0 where it is not known yet."""
        nonlocal first
        now = time.monotonic()
        if first is None:
            first = (now, amount)
            if amount - done <= LITTLE * (total - done):
                return 0.0
        since, from_amount = (began, done) if amount in (first[1], total) else first
        return (amount - from_amount) / max(now - since, 1e-9)

    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total, completed=done)

            def show(amount: float) -> float:
                bar.update(task, completed=amount)
                return rate_of(amount)

            yield show
        return

    def line(amount: float) -> float:
        nonlocal said, last
        now, rate = time.monotonic(), rate_of(amount)
        if amount == last or (now - said < LINE_SECONDS and amount < total):
            return rate
        said, last = now, amount
        left = f"{format_number(rate)} {unit}/s, {format_duration((total - amount) / rate)} left" if rate > 0 else ""
        _timed(f"{what}: {amount:,.0f}/{total:,.0f} {unit}, {left or 'no rate yet'}")
        return rate

    _timed(f"{what}: " + (f"goes on from {done:,.0f} of {total:,.0f} {unit}" if done else f"{total:,.0f} {unit} to do"))
    yield line


class _StandardError(logging.Handler):
    """A handler that looks up `sys.stderr` at every line, since it may be replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


LOGGER.addHandler(_StandardError())
LOGGER.setLevel(logging.INFO)
LOGGER.propagate = False  # libraries that set up the root logger would write every line again


def log(line: str) -> None:
    """Write a line to the job's log, which is standard error."""
    LOGGER.info(line)


def _timed(line: str) -> None:
    log(f"{time.strftime('%H:%M:%S')} {line}")
