"""What streaming to an MLflow server costs training: with a server that works, one that never answers, and none.

Every job trains the same pack in a process of its own, which shares one core with the process that streams, as where a
scheduler gives a job a single one. The server has the other cores. The variants take turns.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.sheets import Sheet
from benchmarks.workers import ROOT

CASE, MEMBERS = "mlp", 16
CALIBRATING = 500  # steps
START_SECONDS = 120


def measure(seconds: float = 25.0, rounds: int = 2, every: float = 4.0) -> Sheet:
    """Train for about so long in every variant and round, and stream so often."""
    parts = {"sending": "sending, s", "streaming": "streaming process, s", "parting": "waiting at the end, s"}
    sheet = Sheet(
        "Training that streams to an MLflow server",
        ["server", "training, s", *parts.values(), "together, of the training", "training, against none"],
        f"{CASE}, {MEMBERS} runs fused, on one core that the streaming process shares; sent to every {every:g} s, "
        f"from {3 * every:g} s on. "
        f"Seconds are the core's, without those in which others of the machine had it; medians of {rounds} rounds in "
        "turns. What streaming takes together should be at most 2% of the training.",
    )
    *others, mine = sorted(os.sched_getaffinity(0))
    with working(others or [mine]) as uri, silent() as nobody:
        servers = {"none": None, "works": uri, "never answers": nobody}
        steps = round(CALIBRATING * seconds / job(None, CALIBRATING, every, mine)["training"])
        turns = [{name: job(server, steps, every, mine) for name, server in servers.items()} for _ in range(rounds)]
    for name in servers:
        mine = [turn[name] for turn in turns]
        shares = [sum(seconds[part] for part in parts) / seconds["training"] for seconds in mine]
        ratios = [turn[name]["training"] / turn["none"]["training"] for turn in turns]
        cells = [median(seconds[what] for seconds in mine) for what in ("training", *parts)]
        sheet.add(name, *(f"{cell:.2f}" for cell in cells), f"{median(shares):.1%}", f"{median(ratios):.3f}")
    return sheet


def job(server: str | None, steps: int, every: float, core: int) -> dict[str, float]:
    """Train in a process of its own; returns the seconds of what it did."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.streaming", server or "", str(steps), str(every), str(core)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the job failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _train(server: str | None, steps: int, every: float) -> dict[str, float]:
    import torch

    from benchmarks.cases import CASES
    from ganbench.engine.train import TrainingProgress, train
    from ganbench.tracking import live as streaming

    torch.set_num_threads(1)
    streaming.FIRST_SECONDS, streaming.LIVE_SECONDS = 3 * every, every
    case, place, sending = CASES[CASE], torch.device("cpu"), 0.0
    game, members = case.game(place), case.members(MEMBERS)
    train(game, case.training(50), members, device=place)  # what happens once

    def at_chunk(at: TrainingProgress) -> None:
        nonlocal sending
        began = time.process_time()
        if stream.due():
            for k in at.alive:
                stream.send(f"seed-{k}", {"seed": k}, at.curves(k))
        sending += time.process_time() - began

    began, started = time.process_time(), time.perf_counter()
    with streaming.live(server, "benchmark") as stream:
        train(game, case.training(steps), members, device=place, at_chunk=at_chunk)
        trained, streamed, ended = time.process_time() - began, _streamed(), time.perf_counter()
    parting, elapsed = time.perf_counter() - ended, time.perf_counter() - started
    # Where others have the core as well, training waits for them too: what it loses by the wait at the end is less.
    parting *= trained / elapsed
    return {"training": trained - sending, "sending": sending, "streaming": streamed, "parting": parting}


def _streamed() -> float:
    """CPU seconds of the process that streams until now; what it takes while training waits for it is in the wait."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in children]
    ticks = sum(int(user) + int(system) for user, system in (stat[11:13] for stat in stats))
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def working(cores: list[int]) -> Iterator[str]:
    """The address of an MLflow server on these cores."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True)
        os.sched_setaffinity(server.pid, cores)
        try:
            _wait(f"{uri}/health", server)
            yield uri
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def _wait(address: str, server: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"`mlflow server` does not answer at {address}")


def main() -> None:
    server, steps, every, core = sys.argv[1:]
    os.sched_setaffinity(0, [int(core)])  # and of the process that it starts
    print(json.dumps(_train(server or None, int(steps), float(every))))


if __name__ == "__main__":
    main()
