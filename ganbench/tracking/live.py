"""Curves of runs in training, streamed to an MLflow server: a view that may lag or fail, and never holds training up.

Training does no more than this:

    with live(server, study) as stream:  # does nothing where `server` is None
        ...
        if stream.due():  # at a chunk: true about once in LIVE_SECONDS
            stream.send(run, axes, recorder.curves())  # of every member still training

The server is spoken to by another process (`ganbench.tracking.streamer`), which takes only time that nobody else wants
and is fed through a pipe that is never waited for. What does not fit into the pipe stays in the recorder and goes with
a later call; what never went is made up for by `track`, which replaces these runs by what the files hold.
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

FIRST_SECONDS = 30.0  # a job shorter than this starts no other process, whose start would take too large a share of it
LIVE_SECONDS = 10.0  # between two times of sending, or longer
CLOSE_SECONDS = 2.0  # at the end, for what is still in the pipe, or shorter
MAX_SHARE = 0.0025  # of a job's time, the most for sending, and again for the end
NICENESS = 19  # the priority of who gets of a core, beside one that wants all of it, a part in seventy
PIPE_BYTES = 1 << 18  # hundreds of jobs of one user get as much from Linux


@contextlib.contextmanager
def live(server: str | None, experiment: str) -> Iterator[Live]:
    """The stream of a job's runs, for a block; its process ends with the block.

    Args:
        server: the http(s) address of an MLflow server, if there is one.
        experiment: the server's experiment that the runs belong to: the study's name.
    """
    stream = Live(server, experiment)
    try:
        yield stream
    finally:
        stream.close()


class Live:
    """A stream of points of runs in training. None of its methods waits for a server, and none raises."""

    def __init__(self, server: str | None, experiment: str) -> None:
        self._server, self._experiment = server, experiment
        self._process: subprocess.Popen | None = None
        self._over = server is None
        self._began = time.monotonic()
        self._next = self._began + FIRST_SECONDS
        self._spent = 0.0  # seconds, in sending
        self._rest = b""  # what the pipe did not take of the last line
        self._sent: dict[str, int] = {}  # by run: the last step whose bin went into a line

    def due(self) -> bool:
        """Whether it is time to send again."""
        now = time.monotonic()
        if self._over or now < self._next:
            return False
        self._next = now + LIVE_SECONDS
        return True

    def send(self, run: str, axes: Mapping[str, Any], curves: Tree) -> None:
        """Send what is new of a run.

        Args:
            run: its name, as the tables have it.
            axes: its point of the grid, shown as its parameters.
            curves: all that is recorded of it by now, as `Recorder.curves` gives it.
        """
        began = time.monotonic()
        if not self._over and self._process is None:
            self._start()
        if self._over or not self._write(b""):  # the pipe is full: the same points come again with a later call
            return
        points, last = new_points(curves, self._sent.get(run, 0))
        if points:
            shown = {name: str(value) for name, value in axes.items() if value is not None and str(value)}
            self._sent[run] = last
            said = [(name, None if math.isnan(value) else value, step) for name, value, step in points]
            self._write(_line({"run": run, "axes": shown, "at": round(time.time() * 1000), "points": said}))
        # Many runs that took long together are not sent so soon again.
        self._spent += time.monotonic() - began
        self._next = max(self._next, self._began + self._spent / MAX_SHARE)

    def close(self) -> None:
        """End the process, which has a moment for what it holds."""
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
        # In a group of its own: the terminal's interrupts are for training, at whose end this process ends too.
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
        with contextlib.suppress(OSError, AttributeError):  # Linux has it, within limits
            fcntl.fcntl(self._process.stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        # By the pipe: everyone on the machine can read a command line, and an address may hold a password.
        self._write(_line({"server": self._server, "experiment": self._experiment}))

    def _write(self, line: bytes) -> bool:
        """Give as much to the pipe as it takes at once, and say whether that was all."""
        self._rest += line
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._process.stdin.fileno(), self._rest) :]
        except BlockingIOError:
            return False
        except OSError:  # its process is gone
            self._over = True
            return False
        return True


def new_points(curves: Tree, after: int) -> tuple[list[tuple[str, float, int]], int]:
    """Means of the bins that ended after a step, as (series, value, step), and the last step of the last of them.

    The last bin may still grow, and waits for the next call. Infinite values are left out, as `records` says.
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
