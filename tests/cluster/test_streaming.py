"""Streaming from training: to a real MLflow server on PostgreSQL, and to one that is dead, silent, full or refusing."""

from __future__ import annotations

import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import postgres_server
import pytest
from needs import need
from postgres_server import Postgres, postgres
from stored import flat, tree_of
from tracked_example import client_of
from tracking_server import MlflowServer

from ganbench.analysis.collected import Collected, write
from ganbench.analysis.columns import AXES, CURVES, RUNS, TABLES
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.recorder import Recorder
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run
from ganbench.pipeline.stages.track import track
from ganbench.study.schema import parse
from ganbench.tracking import live as streaming
from ganbench.tracking.live import Live, live, new_points

SERIES = ("x_loss", "y_loss", "x_gradient_norm")
STEPS, BINS = 40, 20
AXES_SHOWN = dict.fromkeys(AXES, "some") | {"dataset": None, "n_train": None, "learning_rate": 0.1, "seed": 1}
AXES_SHOWN["generator_learning_rate"] = None
ARRIVAL_SECONDS = 300.0  # in which what is sent has to arrive, on a busy machine
CALL_SECONDS = 30.0  # more than a call takes that waits for nobody, half of what one for a silent server takes


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    """No reports to third parties, the loopback past any proxy, points at every chunk, and no yielding to others: on a
    busy machine that takes minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("no_proxy", "127.0.0.1")
        for name in ("FIRST_SECONDS", "LIVE_SECONDS", "NICENESS"):
            patch.setattr(streaming, name, 0)
        patch.setattr(streaming, "MAX_SHARE", 1.0)
        yield


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    need(postgres_server.missing())
    with postgres() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def server(database, tmp_path_factory) -> Iterator[MlflowServer]:
    running = MlflowServer(tmp_path_factory.mktemp("server"), database.uri, workers=2)
    yield running
    running.end()


@pytest.fixture
def study(request) -> str:
    """A name of its own for every test: they share the servers."""
    return re.sub(r"\W+", "-", request.node.name).strip("-")


# A training made up, and what is known of it --------------------------------------------------------------------------


def trained(steps: int, seed: int = 0) -> Recorder:
    """What is recorded of a run after so many steps; more steps add to it and change nothing."""
    values = np.random.default_rng(seed).normal(size=(STEPS, len(SERIES)))
    values[10, 1] = math.nan
    recorder = Recorder(STEPS, BINS, SERIES)
    recorder.add(values[:steps])
    return recorder


def collected(folder: Path, runs: dict[str, Recorder]) -> Collected:
    """The tables of runs of a game of two numbers."""
    folder.mkdir()
    rows, curves = [], []
    for name, recorder in runs.items():
        row = dict.fromkeys(RUNS, "text") | AXES_SHOWN | {"run": name, "outcome": "converged", "cuda": "", "tf32": ""}
        row |= dict.fromkeys(("stopped_step", "stopped_for", "mode_forgetting"))
        rows.append(row | {"steps": STEPS, "steps_done": STEPS, "outcome_onset": STEPS, "fused": True})
        rows[-1] |= {"trained_at": "2025-03-01T12:00:00+00:00", "train_seconds": 60.0}
        kept = recorder.curves()
        for column, series in enumerate(kept["series"]):
            bins = (kept["first_step"], kept["last_step"], *(kept[what][:, column] for what in ("min", "mean", "max")))
            curves += [dict(zip(CURVES, (name, series, *cells), strict=True)) for cells in zip(*bins, strict=True)]
    tables = {"runs": pd.DataFrame(rows), "curves": pd.DataFrame(curves)}
    tables = {name: pd.DataFrame(columns=list(columns)) for name, columns in TABLES.items()} | tables
    with result_files.create_file(folder / "samples.h5", "samples"):
        pass
    write(folder, tables, {"metrics": {}, "quantities": {}})
    return Collected.read(folder)


Point = tuple[str, str, int, str]  # run, series, step, value in words


def means(runs: dict[str, Recorder]) -> list[Point]:
    """What is to be streamed of runs: the mean of every bin that is known to have ended, of all but the last."""
    return sorted(
        (run, series, int(last), repr(float(mean)))
        for run, kept in ((run, recorder.curves()) for run, recorder in runs.items())
        for last, row in list(zip(kept["last_step"], kept["mean"], strict=True))[:-1]
        for series, mean in zip(kept["series"], row, strict=True)
    )


def tracked(collected: Collected) -> list[Point]:
    """What `track` is to show of curves: the means, and the extremes of a loss's bins of several steps."""
    return sorted(
        (row.run, name.format(row.series), row.last_step, repr(float(value)))
        for row in collected.curves.itertuples()
        for name, value in (("{}", row.mean), ("range/{}_min", row.min), ("range/{}_max", row.max))
        if name == "{}" or (row.series.endswith("_loss") and row.first_step < row.last_step)
    )


def held(database: Postgres, study: str, *, live: bool) -> list[Point]:
    """Every point that the database holds of the study's active runs: those that training streamed, or the others."""
    rows = database.ask(
        """
        SELECT named.value, metrics.key, metrics.step, CASE WHEN metrics.is_nan THEN 'NaN' ELSE metrics.value END
        FROM metrics
        JOIN runs USING (run_uuid)
        JOIN experiments USING (experiment_id)
        JOIN tags AS named ON named.run_uuid = runs.run_uuid AND named.key = 'ganbench.run'
        LEFT JOIN tags AS live ON live.run_uuid = runs.run_uuid AND live.key = 'ganbench.live'
        WHERE experiments.name = %s AND runs.lifecycle_stage = 'active' AND (live.value IS NOT NULL) = %s
        """,
        study,
        live,
    )
    return sorted((run, key, step, repr(float(value))) for run, key, step, value in rows)


def eventually(what: Callable[[], Any], wanted: Any) -> None:
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while (seen := what()) != wanted:
        assert time.monotonic() < deadline, f"{seen} is not {wanted}"
        time.sleep(0.2)


def assert_tracked(results: Collected, database: Postgres, server: MlflowServer, study: str) -> None:
    """After `track`, every point is there exactly once, and nothing of what was streamed."""
    done = track(results, study=study, uri=server.uri)
    assert (done.created, done.metrics) == (len(results.runs), len(tracked(results)))
    assert held(database, study, live=False) == tracked(results)
    assert held(database, study, live=True) == []
    client = client_of(server.uri)
    active = client.search_runs([client.get_experiment_by_name(study).experiment_id])
    assert sorted(run.info.run_name for run in active) == sorted(results.runs["run"])


# What is sent ---------------------------------------------------------------------------------------------------------


def test_bins_go_when_they_have_ended_and_once():
    seen, after = [], 0
    for steps in (0, 1, 2, 3, 7, 7, 24, STEPS):
        points, after = new_points(trained(steps).curves(), after)
        seen += points
    assert [step for name, _, step in seen if name == "x_loss"] == list(range(2, STEPS, 2)), "but the last"
    assert sorted(("run", name, step, repr(value)) for name, value, step in seen) == means({"run": trained(STEPS)})


def test_infinite_values_are_left_out():
    recorder = Recorder(4, 4, ("x_loss", "y_loss"))
    recorder.add(np.array([[1.0, math.inf], [-math.inf, math.nan], [0.0, 0.0]]))
    assert repr(new_points(recorder.curves(), 0)) == "([('x_loss', 1.0, 1), ('y_loss', nan, 2)], 2)"


def test_without_a_server_nothing_starts():
    with live(None, "study") as stream:
        assert not stream.due()
        stream.send("run", AXES_SHOWN, trained(STEPS).curves())
        assert stream._process is None


def test_a_short_job_starts_nothing(monkeypatch):
    monkeypatch.setattr(streaming, "FIRST_SECONDS", 3600.0)
    with live("http://127.0.0.1:9", "study") as stream:
        assert not stream.due()
        assert stream._process is None


def test_sending_takes_a_small_share_of_the_time(monkeypatch):
    monkeypatch.setattr(streaming, "MAX_SHARE", 0.01)
    with Fault(None) as silent, live(silent.uri, "study") as stream:
        began = time.monotonic()
        assert stream.due()
        stream.send("run", AXES_SHOWN, trained(STEPS).curves())
        spent = time.monotonic() - began
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while not stream.due():
            assert time.monotonic() < deadline
        assert 0 < stream._spent < spent
        assert stream._spent <= 0.01 * (time.monotonic() - stream._began)


# A server that works, and one that comes back -------------------------------------------------------------------------


def test_sixteen_jobs_at_once_lose_nothing(tmp_path, database, server, study, capfd):
    full = {f"run-{seed:02d}": trained(STEPS, seed) for seed in range(16)}
    with ExitStack() as jobs:
        # All of them find no experiment, and make it.
        streams = {run: jobs.enter_context(live(server.uri, study)) for run in full}
        for steps in (8, 24, 24, STEPS):
            for seed, (run, stream) in enumerate(streams.items()):
                stream.send(run, AXES_SHOWN, trained(steps, seed).curves())
        eventually(lambda: held(database, study, live=True), means(full))
        client = client_of(server.uri)
        shown = client.search_runs([client.get_experiment_by_name(study).experiment_id])
        assert sorted(run.info.run_name for run in shown) == list(full)
        assert {(run.info.status, run.data.tags["ganbench.live"]) for run in shown} == {("RUNNING", "true")}
        axes = {name: str(value) for name, value in AXES_SHOWN.items() if value is not None}
        assert [run.data.params for run in shown] == 16 * [axes]
    assert capfd.readouterr().err == ""
    assert_tracked(collected(tmp_path / "collected", full), database, server, study)


@contextmanager
def killed(server: MlflowServer, _: Postgres) -> Iterator[None]:
    server.end(signal.SIGKILL)
    yield
    server.start()


@contextmanager
def full(_: MlflowServer, database: Postgres) -> Iterator[None]:
    database.take_no_more(True)
    yield
    database.take_no_more(False)


@contextmanager
def slow(_: MlflowServer, database: Postgres) -> Iterator[None]:
    with database.busy("metrics"):
        yield


@pytest.mark.parametrize("trouble", [killed, full, slow])
def test_a_server_that_comes_back_gets_what_it_missed(trouble, tmp_path, database, server, study, capfd):
    printed = []

    def lines() -> list[str]:
        printed.extend(capfd.readouterr().err.splitlines())
        return [" ".join(re.findall(r"is lost|is back", line)) for line in printed]

    with live(server.uri, study) as stream:
        stream.send("run", AXES_SHOWN, trained(12).curves())
        eventually(lambda: held(database, study, live=True), means({"run": trained(12)}))
        with trouble(server, database):
            for steps in range(12, 32, 2):
                stream.send("run", AXES_SHOWN, trained(steps).curves())
            eventually(lines, [] if trouble is slow else ["is lost"])
            if trouble is full:
                with pytest.raises(GanbenchError, match=r"nothing is lost.*read-only"):
                    track(collected(tmp_path / "early", {"run": trained(STEPS)}), study=study, uri=server.uri)
        stream.send("run", AXES_SHOWN, trained(STEPS).curves())
        eventually(lambda: held(database, study, live=True), means({"run": trained(STEPS)}))
    assert lines() == ([] if trouble is slow else ["is lost", "is back"]), "a server may take its time"
    assert_tracked(collected(tmp_path / "collected", {"run": trained(STEPS)}), database, server, study)


def test_a_killed_job_leaves_nothing_twice(tmp_path, database, server, study):
    with live(server.uri, study) as stream:
        for run in ("run", "gone"):  # of the second, no file will ever tell
            stream.send(run, AXES_SHOWN, trained(24).curves())
        eventually(lambda: len({run for run, *_ in held(database, study, live=True)}), 2)
        stream._process.kill()
    with live(server.uri, study) as stream:  # goes on from a checkpoint, with the same numbers
        stream.send("run", AXES_SHOWN, trained(20).curves())
        stream.send("run", AXES_SHOWN, trained(STEPS).curves())
        wanted = means({"gone": trained(24), "run": trained(STEPS)})
        eventually(lambda: held(database, study, live=True), wanted)
        # Tracked while it still trains: its live run goes, and does not come again.
        assert_tracked(collected(tmp_path / "collected", {"run": trained(STEPS)}), database, server, study)
        stream._sent.clear()
        stream.send("run", AXES_SHOWN, trained(STEPS).curves())
        stream.send("other", AXES_SHOWN, trained(STEPS).curves())
        eventually(lambda: held(database, study, live=True), means({"other": trained(STEPS)}))


# A server that does not work ------------------------------------------------------------------------------------------


@contextmanager
def absent() -> Iterator[str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        yield f"http://someone:secret@127.0.0.1:{unused.getsockname()[1]}"


class Fault:
    """A server that says one thing only, or nothing at all, and knows whether it was asked.

    Args:
        status: of every answer; None keeps all who ask waiting.
        text: of every answer.
    """

    def __init__(self, status: int | None, text: str = "") -> None:
        self.asked, over = threading.Event(), threading.Event()
        self._over = over
        asked = self.asked

        class Answer(BaseHTTPRequestHandler):
            def answer(self) -> None:
                asked.set()
                if status is None:
                    over.wait()
                    return
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.uri = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Fault:
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_no_call_waits_for_a_silent_server(study):
    bins = 50_000  # of three series, some 6 MB: more than the pipe and the other process hold
    curves = {"series": SERIES, "last_step": np.arange(bins), "mean": np.zeros((bins, len(SERIES)))}
    with Fault(None) as silent, live(silent.uri, study) as stream:
        seconds = []
        for end in range(0, bins, 500):
            began = time.monotonic()
            stream.send("run", AXES_SHOWN, curves | {what: curves[what][:end] for what in ("last_step", "mean")})
            seconds.append(time.monotonic() - began)
            time.sleep(0.01)
        assert max(seconds) < CALL_SECONDS
        assert stream._rest, "the pipe is full"
        assert stream._rest.count(b"\n") == 1, "what waits is one line, however often it is called"
        assert silent.asked.wait(ARRIVAL_SECONDS)
        process, waits = stream._process, []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(streaming, "MAX_SHARE", 0.01)
            patch.setattr(
                process, "wait", lambda seconds=None, wait=process.wait: waits.append(seconds) or wait(seconds)
            )
            stream.close()
        lasted = time.monotonic() - stream._began
        assert waits[0] <= 0.01 * lasted, "a short training does not wait long at its end"
        assert waits[1:] == [None], "and then for a process that was killed"
        assert process.returncode is not None


def test_the_streaming_process_yields_to_training(study, monkeypatch):
    monkeypatch.setattr(streaming, "NICENESS", 19)
    with Fault(None) as silent, live(silent.uri, study) as stream:
        stream.send("run", AXES_SHOWN, trained(12).curves())
        assert os.getpriority(os.PRIO_PROCESS, stream._process.pid) == 19


def test_a_streaming_process_that_dies_changes_nothing(study, monkeypatch):
    with Fault(None) as silent, live(silent.uri, study) as stream:
        stream.send("run", AXES_SHOWN, trained(12).curves())
        process = stream._process
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        for steps in range(12, STEPS):
            stream.send("run", AXES_SHOWN, trained(steps).curves())
        assert not stream.due()
        monkeypatch.setattr(streaming, "CLOSE_SECONDS", 10 * CALL_SECONDS)  # for one that lives
        monkeypatch.setattr(streaming, "MAX_SHARE", 1e6)
        began = time.monotonic()
    assert time.monotonic() - began < CALL_SECONDS
    assert process.returncode == -signal.SIGKILL, "it was waited for"


def test_a_streaming_process_that_cannot_start_changes_nothing(study, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with live("http://127.0.0.1:9", study) as stream:
        stream.send("run", AXES_SHOWN, trained(STEPS).curves())
        assert not stream.due()


STREAM_AND_HANG = """
import sys, time
from ganbench.tracking import live
live.NICENESS = 0
with live.live(sys.argv[1], "study") as stream:
    stream.send("run", {}, {"series": ["x"], "last_step": [1, 2], "mean": [[0.0], [0.0]]})
    print(stream._process.pid, flush=True)
    time.sleep(600)
"""


def test_a_killed_job_takes_its_streaming_process_along():
    with Fault(None) as silent:
        job = subprocess.Popen([sys.executable, "-c", STREAM_AND_HANG, silent.uri], stdout=subprocess.PIPE, text=True)
        pid = int(job.stdout.readline())
        assert silent.asked.wait(ARRIVAL_SECONDS)
        job.kill()
        job.communicate()
    eventually(lambda: _state(pid) in ("", "Z"), True)  # gone, and where nobody inherits it, as good as gone


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_passwords_show_nowhere(study, capfd):
    with absent() as uri, live(uri, study) as stream:
        stream.send("run", AXES_SHOWN, trained(STEPS).curves())
        assert "secret" not in Path(f"/proc/{stream._process.pid}/cmdline").read_text()
        printed = []
        eventually(lambda: bool(printed.append(capfd.readouterr().err) or "".join(printed).endswith("\n")), True)
    (line,) = "".join(printed).splitlines()
    assert "secret" not in line
    assert "http://127.0.0.1" in line
    assert "Connection refused" in line


# Training itself ------------------------------------------------------------------------------------------------------

TRAINING = {
    "grid": [{"game": "bilinear", "learning_rate": [0.1, 0.5], "seed": [0, 1]}],
    "train": {"steps": 400, "curve_bins": 50, "precision": "float64", "snapshots": {"count": 3}},
}


def train(folder: Path, study: str, uri: str, patch: pytest.MonkeyPatch, meanwhile: Callable[[], Any]) -> Plan:
    """Train a small study, with something happening after the first points were sent."""
    found = Plan(parse(TRAINING | {"study": study, "results": str(folder), "track": {"uri": uri}}, origin="study"))
    send, before = Live.send, []

    def sending(*given: Any) -> None:
        send(*given)
        if not before:
            before.append(meanwhile())

    with patch.context() as inside:
        inside.setattr(Live, "send", sending)
        work(found, "train")
    assert len(before) == uri.startswith("http")
    return found


def work(found: Plan, *stages: str) -> None:
    for stage in stages:
        for job in found.jobs(stage).values():
            run(job, JobContext(found.execution))


def numbers(found: Plan) -> dict[str, bytes]:
    """Every array that training left."""
    return {
        name: value.tobytes()
        for job in found.jobs("train").values()
        for name, value in flat(tree_of(job.path)).items()
        if isinstance(value, np.ndarray)
    }


@pytest.fixture
def alone(tmp_path, study, monkeypatch) -> dict[str, bytes]:
    """What training leaves without a server."""
    arrays = numbers(train(tmp_path / "alone", study, "sqlite:///mlflow.db", monkeypatch, lambda: None))
    assert len(arrays) > 20
    return arrays


def test_training_streams_and_trains_the_same(tmp_path, database, server, study, alone, monkeypatch, capfd):
    def arrived() -> int:
        return len({run for run, *_ in held(database, study, live=True)})

    found = train(tmp_path / "results", study, server.uri, monkeypatch, lambda: eventually(arrived, 1))
    assert numbers(found) == alone
    assert "is lost" not in capfd.readouterr().err
    work(found, "collect")
    assert_tracked(Collected.read(found.collect.path.parent), database, server, study)


@pytest.mark.parametrize("fault", [(500,), (507, "disk full"), (None,)], ids=["refusing", "full", "silent"])
def test_training_is_the_same_with_a_faulty_server(tmp_path, fault, study, alone, monkeypatch):
    with Fault(*fault) as server:
        found = train(tmp_path / "results", study, server.uri, monkeypatch, lambda: server.asked.wait(ARRIVAL_SECONDS))
        assert server.asked.is_set()
        assert numbers(found) == alone
