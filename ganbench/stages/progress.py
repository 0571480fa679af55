"""Progress of long work: a bar when a person watches, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_SECONDS = 10.0  # between two lines of a log

Report = Callable[[float], None]


@contextmanager
def progress(what: str, total: float, unit: str, done: float = 0) -> Iterator[Report]:
    """Show how far work has come.

    Args:
        what: what is being done.
        total: how much there is to do, in `unit`s.
        unit: of the amounts, plural: "run-steps".
        done: how much was done before.

    Yields:
        a function to call with the amount done so far.
    """
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what, total=total, completed=done)
            yield lambda amount: bar.update(task, completed=amount)
        return

    began = said = time.monotonic()

    def line(amount: float) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said < LINE_SECONDS and amount < total:
            return
        said = now
        rate = (amount - done) / max(now - began, 1e-9)
        left = f"{(total - amount) / rate:.0f} s left" if rate > 0 else "no rate yet"
        stamp = time.strftime("%H:%M:%S")
        print(
            f"{stamp} {what}: {amount:,.0f}/{total:,.0f} {unit}, {rate:,.0f} {unit}/s, {left}",
            file=sys.stderr,
            flush=True,
        )

    yield line
