"""The process that sends points of a training job's runs to an MLflow server, see `ganbench.tracking.live`.

It reads lines of JSON. The first line has the address, and the others have points of runs. It sends each line again
until the server has accepted or rejected it. While MAX_LINES lines are in memory, further lines wait in the pipe. When
the other end of the pipe closes, because training ends or is killed, the process ends within GRACE_SECONDS.
"""

from __future__ import annotations

import json
import math
import os
import select
import sys
import time
from contextlib import suppress
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

from ganbench.tracking.address import redact_credentials
from ganbench.tracking.environment import QUIET_SETTINGS, STREAM_SETTINGS, environment_variables, silence_logs
from ganbench.tracking.experiment import LIVE_FILTER, LIVE_TAG, POINTS_PER_BATCH, active_runs, get_or_create_experiment

if TYPE_CHECKING:
    from mlflow.entities import Metric

GRACE_SECONDS = 1.5  # to send the remaining lines after the pipe has closed
RETRY_SECONDS = 5.0  # between two attempts
MAX_LINES = 64  # lines in memory
REJECTED = (
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_DOES_NOT_EXIST",
)  # error codes of a server that does not accept a run, or from which the run was deleted


class LiveRuns:
    """Runs on an MLflow server that show the runs in training, tagged as live.

    Args:
        server: http(s) address of the server.
        experiment: name of the experiment.
    """

    def __init__(self, server: str, experiment: str) -> None:
        from mlflow import MlflowClient

        self._server, self._experiment = server, experiment
        self._client = MlflowClient(tracking_uri=server)
        self._ids: dict[str, str | None] = {}  # MLflow's identifiers by run; None for a rejected run
        self._lost = False

    def show(self, message: dict[str, Any]) -> None:
        """Send new points of a run, with retries until the server has accepted them or rejected the run.

        Args:
            message: the points with the run's name, axes and time, as `Live.send` writes them.
        """
        while self._ids.get(message["run"], "") is not None:
            try:
                self._log(message)
            except Exception as error:  # any failure may be temporary
                if getattr(error, "error_code", None) in REJECTED:
                    self._ids[message["run"]] = None
                    return
                self._say(error)
                time.sleep(RETRY_SECONDS)
            else:
                self._say(None)
                return

    def _log(self, message: dict[str, Any]) -> None:
        from mlflow.entities import Metric

        if message["run"] not in self._ids:
            self._ids[message["run"]] = self._begin(message)
        # Retries repeat the points, times and order exactly, so that the server does not store points twice.
        points = [
            Metric(series, math.nan if value is None else value, message["at"], step)  # JSON has no NaN
            for series, value, step in message["points"]
        ]
        for batch in _batches(points):
            self._client.log_batch(self._ids[message["run"]], metrics=batch)

    def _begin(self, message: dict[str, Any]) -> str:
        """Create an MLflow run, and delete the streamed runs of earlier attempts."""
        from mlflow.entities import Param

        experiment = get_or_create_experiment(self._client, self._experiment)
        for run in active_runs(self._client, experiment, f"{LIVE_FILTER} and tags.`ganbench.run` = '{message['run']}'"):
            self._client.delete_run(run.info.run_id)
        tags = {"ganbench.run": message["run"], LIVE_TAG: "true"}
        made = self._client.create_run(experiment, message["at"], tags, message["run"]).info.run_id
        self._client.log_batch(made, params=[Param(name, text) for name, text in message["axes"].items()])
        return made

    def _say(self, error: Exception | None) -> None:
        """Print a message when the server is lost, and when it is back."""
        if self._lost == (error is not None):
            return
        self._lost = error is not None
        address = redact_credentials(self._server)
        while error is not None and error.__context__ is not None:  # the message of the first cause is the shortest
            error = error.__context__
        cause = " ".join(str(error).replace(self._server.rstrip("/"), address).split())[:300]
        lost = f"is lost; training goes on, and `track` makes up for what is not shown. The cause: {cause}"
        with suppress(OSError):  # standard error is closed
            print(f"the MLflow server {address} {lost if self._lost else 'is back'}", file=sys.stderr, flush=True)


def _batches(points: list[Metric]) -> list[list[Metric]]:
    return [points[first : first + POINTS_PER_BATCH] for first in range(0, len(points), POINTS_PER_BATCH)]


def _read_lines(lines: Queue[bytes | None]) -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    lines.put(None)


def _send_lines(lines: Queue[bytes | None]) -> None:
    """Send the lines of a queue. An incomplete line, the last one of a killed process, is left out."""
    messages = (json.loads(line) for line in iter(lines.get, None) if line.endswith(b"\n"))
    with silence_logs():
        live_runs = LiveRuns(**next(messages))
        for message in messages:
            live_runs.show(message)


def main() -> None:
    """Send lines from standard input until it closes."""
    lines: Queue[bytes | None] = Queue(MAX_LINES)
    with environment_variables(QUIET_SETTINGS), environment_variables(STREAM_SETTINGS, keep=True):
        reading, speaking = (Thread(target=work, args=(lines,), daemon=True) for work in (_read_lines, _send_lines))
        reading.start()
        speaking.start()
        hangup = select.poll()
        hangup.register(sys.stdin, 0)  # notices only the end of the pipe, even if it still contains lines
        hangup.poll()
        speaking.join(GRACE_SECONDS)
    os._exit(0)  # without waiting for the server


if __name__ == "__main__":
    main()
