"""Curves of runs in training, streamed to an MLflow server. The view may lag or fail; training never waits for it.

Training uses it like this:

    with live(server, study) as stream:  # does nothing where `server` is None
        ...
        if stream.due():  # after a chunk of steps: true about once in LIVE_SECONDS
            stream.send(run, axes, recorder.curves())  # of every member still training

Another process of low priority (`ganbench.tracking.streamer`) talks to the server. It reads from a pipe, to which
training writes without waiting. Points that do not fit into the pipe stay in the recorder for a later call. Points that
were never sent are added by `track`, which replaces these runs by those of the files.

MLflow's asynchronous logging (`log_batch(synchronous=False)` of MLflow 3.17) cannot do this. Creating a run still waits
for the server, the queue has no bound, and the process waits for it at its end: measured 64 s with a server that no
longer answers and a request timeout of 60 s without retries.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import ganbench
from ganbench.core import strict_json
from ganbench.core.tree import Tree

FIRST_SECONDS = 30.0  # a shorter job starts no second process, whose start would take too large a share of its time
LIVE_SECONDS = 10.0  # the shortest time between two sendings
CLOSE_SECONDS = 2.0  # the longest time for the rest of the pipe at the end
MAX_SHARE = 0.0025  # the largest share of a job's time for sending, and again for the end
NICENESS = 19  # a process of this niceness gets 1/70 of a core that it shares with a busy process
PIPE_BYTES = 1 << 18  # Linux allows this size for hundreds of jobs of one user


@contextlib.contextmanager
def live(server: str | None, experiment: str) -> Iterator[Live]:
    """The stream of a job's runs for a block. Its process ends with the block.

    Args:
        server: http(s) address of an MLflow server, or None.
        experiment: name of the experiment, which is that of the study.
    """
    stream = Live(server, experiment)
    try:
        yield stream
    finally:
        stream.close()


class Live:
    """A stream of points of runs in training. Its methods do not wait for the server and do not raise."""

    def __init__(self, server: str | None, experiment: str) -> None:
        self._server, self._experiment = server, experiment
        self._process: subprocess.Popen | None = None
        self._over = server is None
        self._began = time.monotonic()
        self._next = self._began + FIRST_SECONDS
        self._spent = 0.0  # seconds of sending
        self._rest = b""  # the part of the last line that did not fit into the pipe
        self._sent: dict[str, int] = {}  # the last step sent, by run

    def due(self) -> bool:
        """Whether it is time to send."""
        now = time.monotonic()
        if self._over or now < self._next:
            return False
        self._next = now + LIVE_SECONDS
        return True

    def send(self, run: str, axes: Mapping[str, Any], curves: Tree) -> None:
        """Send the new points of a run.

        Args:
            run: name of the run in the tables.
            axes: its point of the grid, shown as parameters.
            curves: everything recorded so far, as `Recorder.curves` returns it.
        """
        began = time.monotonic()
        if not self._over and self._process is None:
            self._start()
        if self._over or not self._write(b""):  # the pipe is full: a later call sends the same points
            return
        points, last = new_points(curves, self._sent.get(run, 0))
        if points:
            params = {name: str(value) for name, value in axes.items() if value is not None and str(value)}
            self._sent[run] = last
            values = [(name, None if math.isnan(value) else value, step) for name, value, step in points]
            self._write(_line({"run": run, "axes": params, "at": round(time.time() * 1000), "points": values}))
        # If sending many runs took long, the next sending is later.
        self._spent += time.monotonic() - began
        self._next = max(self._next, self._began + self._spent / MAX_SHARE)

    def close(self) -> None:
        """End the process after a short time for the rest of its points."""
        self._over = True
        process, self._process = self._process, None
        if process is None:
            return
        try:
            with contextlib.suppress(OSError):
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(CLOSE_SECONDS, MAX_SHARE * (time.monotonic() - self._began)))
        finally:
            process.kill()
            process.wait()

    def _start(self) -> None:
        # In its own process group, so that only training gets the terminal's interrupts. It ends with training.
        path = os.pathsep.join(filter(None, [str(Path(ganbench.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-P", "-m", "ganbench.tracking.streamer"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                bufsize=0,
                env={**os.environ, "PYTHONPATH": path},
                process_group=0,
            )
            os.set_blocking(self._process.stdin.fileno(), False)
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)
        except OSError:
            self._over = True
            return
        with contextlib.suppress(OSError, AttributeError):  # exists on Linux only, within limits
            fcntl.fcntl(self._process.stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        # Through the pipe: any user can read a command line, and an address may contain a password.
        self._write(_line({"server": self._server, "experiment": self._experiment}))

    def _write(self, line: bytes) -> bool:
        """Write as much to the pipe as it takes without waiting. Return whether that was everything."""
        self._rest += line
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._process.stdin.fileno(), self._rest) :]
        except BlockingIOError:
            return False
        except OSError:  # the process has ended
            self._over = True
            return False
        return True


def new_points(curves: Tree, after: int) -> tuple[list[tuple[str, float, int]], int]:
    """The points of complete bins after a step.

    The last bin may still grow, so it waits for the next call. Infinite values are left out, as in `records`.

    Args:
        curves: everything recorded so far, as `Recorder.curves` returns it.
        after: the last step that was sent.

    Returns:
        The means of the bins as (series, value, step), and the last step of the last bin.
    """
    steps, means = np.asarray(curves["last_step"][:-1]), np.asarray(curves["mean"][:-1])
    first = np.searchsorted(steps, after, side="right")
    points = [
        (name, value, step)
        for step, row in zip(steps[first:].tolist(), means[first:].tolist(), strict=True)
        for name, value in zip(curves["series"], row, strict=True)
        if not math.isinf(value)
    ]
    return points, int(steps[-1]) if first < len(steps) else after


def _line(message: dict[str, Any]) -> bytes:
    return strict_json.dumps(message).encode() + b"\n"
