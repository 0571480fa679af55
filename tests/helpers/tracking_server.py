"""An MLflow server for tests: on the loopback, with artifacts through it, stopped or killed with all its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from free_ports import free_ports

START_SECONDS = 120


class MlflowServer:
    """A server that can be started again at the same address.

    Args:
        folder: for its artifacts and its log.
        store: where it keeps everything else, as MLflow names it.
        workers: how many processes answer.
    """

    def __init__(self, folder: Path, store: str, workers: int = 1) -> None:
        self._folder = folder
        (self.port,) = free_ports(1)
        self.uri = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        self._command += ["--backend-store-uri", store, "--artifacts-destination", str(folder / "files")]
        self._command += ["--workers", str(workers)]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self._folder / "server.log"
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with log.open("a") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=output, cwd=self._folder, env=environment, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                raise AssertionError(f"the server did not come up:\n{log.read_text()}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the server and its workers, which are a group of their own."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
        self._process.wait(20)
