"""Curves of runs in training, streamed to an MLflow server. Streaming may lag or fail; training never waits for it.

Training streams its curves as follows:

    with live(server, study) as stream:  # does nothing if `server` is None
        ...
        if stream.due():  # called after every chunk of steps; true at most once in LIVE_SECONDS
            stream.send(run, axes, recorder.curves())  # for every member that is still training

Another process of low priority (`ganbench.tracking.streamer`) communicates with the server. It reads from a pipe, to
which training writes without waiting. Points that do not fit into the pipe stay in the recorder for a later call. The
stage `track` replaces the streamed runs by the runs of the files, which have all points.

MLflow's asynchronous logging (`log_batch(synchronous=False)` of MLflow 3.17) is unsuitable. Creating a run still waits
for the server, the queue has no bound, and the process waits for the queue at its end: 64 s were measured with a server
that no longer answers and a request timeout of 60 s without retries.
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

FIRST_SECONDS = 30.0  # shorter jobs start no second process, which would take too large a share of their time
LIVE_SECONDS = 10.0  # shortest time between two transmissions
CLOSE_SECONDS = 2.0  # longest wait for the rest of the pipe at the end
MAX_SHARE = 0.0025  # largest share of a job's time for sending, and again for the wait at the end
NICENESS = 19  # gets a seventieth of a core that it shares with a busy process
PIPE_BYTES = 1 << 18  # Linux grants this size to hundreds of jobs of one user


@contextlib.contextmanager
def live(server: str | None, experiment: str) -> Iterator[Live]:
    """Provide a stream for a job's runs during a block. The process of the stream ends with the block.

    Args:
        server: http(s) address of an MLflow server; None for a stream that does nothing.
        experiment: name of the experiment, which is the name of the study.
    """
    stream = Live(server, experiment)
    try:
        yield stream
    finally:
        stream.close()


class Live:
    """A stream of points of runs in training. Its methods neither wait for the server nor raise.

    Args:
        server: http(s) address of an MLflow server; None for a stream that does nothing.
        experiment: name of the experiment.
    """

    def __init__(self, server: str | None, experiment: str) -> None:
        self._server, self._experiment = server, experiment
        self._process: subprocess.Popen | None = None
        self._over = server is None
        self._began = time.monotonic()
        self._next = self._began + FIRST_SECONDS
        self._spent = 0.0  # total seconds of sending
        self._rest = b""  # rest of the last line, which did not fit into the pipe
        self._sent: dict[str, int] = {}  # last step that was sent, by run

    def due(self) -> bool:
        """Whether it is time to send. The next time follows after `LIVE_SECONDS`."""
        now = time.monotonic()
        if self._over or now < self._next:
            return False
        self._next = now + LIVE_SECONDS
        return True

    def send(self, run: str, axes: Mapping[str, Any], curves: Tree) -> None:
        """Send the new points of a run.

        Args:
            run: name of the run in the tables.
            axes: point of the run in the grid, shown as parameters.
            curves: all bins recorded so far, as `Recorder.curves` returns it.
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
        # The next transmission is postponed if sending has taken more than its share of the time.
        self._spent += time.monotonic() - began
        self._next = max(self._next, self._began + self._spent / MAX_SHARE)

    def close(self) -> None:
        """End the process, after a short wait for the rest of the points."""
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
        # With a process group of its own, interrupts from the terminal reach training only, which ends this process.
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
        with contextlib.suppress(OSError, AttributeError):  # exists on Linux only, where the size is limited
            fcntl.fcntl(self._process.stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        # The address goes through the pipe: it may contain a password, and any user can read a command line.
        self._write(_line({"server": self._server, "experiment": self._experiment}))

    def _write(self, line: bytes) -> bool:
        """Write to the pipe as much as possible without waiting.

        Returns:
            Whether everything was written.
        """
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
    """The points of the complete bins after a step.

    The last bin may still grow, so it is left for a later call. Infinite values are left out, as in `records`.

    Args:
        curves: all bins recorded so far, as `Recorder.curves` returns it.
        after: the last step that was sent.

    Returns:
        The means of the bins as (series, value, step), and the last step of the last complete bin, or `after` if there
        are no new bins.
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
