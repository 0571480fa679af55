"""`track` against real MLflow stores: embedded SQLite, and a server that runs on the loopback for these tests."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import itertools
import json
import logging
import math
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from documentation import blocks
from PIL import Image
from safetensors.torch import save_model
from tracked_example import (
    RUN_NAMES,
    TOY,
    assert_exactly_once,
    client_of,
    expected_points,
    points_of,
    runs_of,
    tiny_collected,
)
from tracking_server import MlflowServer

from ganbench.architectures import initial_module
from ganbench.core.errors import GanbenchError
from ganbench.engine.components import build_component
from ganbench.pipeline.network_folder import load
from ganbench.pipeline.stages import track as stage
from ganbench.pipeline.stages.track import Tracked, track
from ganbench.tracking import local_runs, mlflow_store
from ganbench.tracking.local_runs import LocalRuns
from ganbench.tracking.origin import Origin
from ganbench.tracking.pictures import draw_samples, make_frame
from ganbench.tracking.records import RunRecord

LIMIT_SECONDS = 300  # for any process; reached only when something hangs
# Four runs, three of them with three snapshots each.
ALL_NEW = {"created": 4, "present": 0, "superseded": 0, "artifacts": 9, "models": 0}
NOTHING_NEW = Tracked(created=0, present=4, superseded=0, metrics=0, artifacts=0)


@pytest.fixture(scope="module", autouse=True)
def quiet_mlflow():
    """The tests' own clients report nothing to third parties and reach the loopback past any proxy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def migrated(tmp_path_factory) -> Path:
    """An empty store: making its tables takes seconds, so most tests start from a copy of it."""
    path = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    client_of(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    """The address of an MLflow server that runs as long as this module's tests."""
    folder = tmp_path_factory.mktemp("server")
    running = MlflowServer(folder, f"sqlite:///{folder}/server.db")
    yield running.uri
    running.end()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """MLflow puts what belongs nowhere into the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["sqlite", "server"])
def uri(request, tmp_path, migrated) -> str:
    if request.param == "server":
        return request.getfixturevalue("server")
    shutil.copy(migrated, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def study(request) -> str:
    """A name of its own for every test: those against the server share one store."""
    return request.node.name


def test_everything_arrives_exactly_once(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    calls = []
    tracked = track(collected, study=study, uri=uri, report=lambda *counts: calls.append(counts))
    assert_exactly_once(collected, uri, study)
    points = sum(len(expected_points(collected, run)) for run in collected.runs["run"])
    assert dataclasses.asdict(tracked) == ALL_NEW | {"metrics": points}
    assert calls == [(4, 4)]


def test_params_tags_status_and_times(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    track(collected, study=study, uri=uri)
    tracked = {run.info.run_name: run for run in runs_of(uri, study)}
    run = tracked["grey-d0"]
    assert run.data.params == {
        **{"game": "some", "architecture": "some", "objective": "some", "regularizer": "some", "dynamics": "some"},
        **{"optimizer": "some", "schedule": "some", "block": "some", "train": "some", "dataset": "grey"},
        **{"n_train": "100", "learning_rate": "0.0002", "seed": "1", "steps": "40"},
        **{"discriminator_parameters": "12", "generator_parameters": "34"},
        **{"architecture_width": "64", "train_precision": "float32"},
    }
    ours = {name: text for name, text in run.data.tags.items() if not name.startswith("mlflow.")}
    assert len(ours.pop("ganbench.content")) == 64
    assert ours == {
        **{"ganbench.run": "grey-d0", "ganbench.complete": "true", "ganbench.infinite_left_out": "10"},
        **{"outcome": "diverged", "outcomes": "text", "outcome_onset": "30", "outcome_evidence": "text"},
        "failure_onset": "text",
        **{"method": "of-grey", "pack": "text"},
        **{
            "steps_done": "30",
            "continued_from": "text",
            "fused": "False",
            "execution": "text",
            "python": "text",
            "torch": "text",
            "device": "text",
        },
        **dict.fromkeys(("processor", "cpu_capability", "blas", "threads", "numpy", "scipy"), "text"),
        **dict.fromkeys(("judged_on", "evaluated_on", "diagnosed_on", "collected_on"), "text"),
        **{"commit": "text", "digest": "d01", "outcomes_judged": "text", "failures_not_judged": "text"},
    }
    # The second run has diverged, the third has collapsed.
    assert [tracked[f"{name}-d0"].info.status for name in RUN_NAMES] == ["FINISHED", "FAILED", "FAILED", "FINISHED"]
    end = pd.Timestamp("2025-03-01T12:00:00Z").timestamp() * 1000
    assert (run.info.start_time, run.info.end_time) == (end - 60_000, end)
    times = [point.timestamp for point in client_of(uri).get_metric_history(run.info.run_id, "real_output")]
    assert min(times) == end - 58_000  # the first of thirty steps in sixty seconds
    assert max(times) == end


def test_values_that_are_not_numbers_are_shown_truthfully(tmp_path, uri, study):
    track(tiny_collected(tmp_path / "collected"), study=study, uri=uri)
    tracked = {run.info.run_name: run for run in runs_of(uri, study)}
    run = tracked.pop("grey-d0")
    history = client_of(uri).get_metric_history(run.info.run_id, "range/generator_loss_max")
    assert [(point.step, math.isnan(point.value)) for point in history] == [(10, False), (30, True)]
    # Eight means and two maxima of losses are infinite, which no SQL store of MLflow can hold.
    assert run.data.tags["ganbench.infinite_left_out"] == "10"
    assert "modes" not in run.data.metrics
    left_out = {name for name, other in tracked.items() if "ganbench.infinite_left_out" in other.data.tags}
    assert left_out == {"toy-d0"}, "of which a measurement is infinite"


def test_a_game_without_data_shows_what_it_has(tmp_path, uri, study):
    track(tiny_collected(tmp_path / "collected"), study=study, uri=uri)
    (run,) = [run for run in runs_of(uri, study) if run.info.run_name == "toy-d0"]
    assert run.data.params == {
        **{
            "game": "some",
            "dynamics": "some",
            "optimizer": "some",
            "schedule": "some",
            "block": "some",
            "train": "some",
        },
        **{"learning_rate": "0.0002", "seed": "3"},
        **{"steps": "40", "discriminator_parameters": "12", "generator_parameters": "34", "train_precision": "float32"},
    }
    extremes = {f"range/{player}_loss_{end}" for player in "xy" for end in ("min", "max")}
    assert set(run.data.metrics) == {*TOY, *extremes, "measured/path.growth", "measured/path.turns"}
    assert run.data.metrics["measured/path.growth"] == 7.5
    assert math.isnan(run.data.metrics["measured/path.turns"]), "a diagnostic measured and found nothing: no gap"
    assert run.inputs.dataset_inputs == []
    assert run.data.tags["ganbench.infinite_left_out"] == "1"
    (point,) = client_of(uri).get_metric_history(run.info.run_id, "measured/path.growth")
    assert (point.step, point.timestamp) == (0, run.info.end_time), "MLflow's page draws bars of what is at step 0"
    assert client_of(uri).list_artifacts(run.info.run_id) == []


def test_new_measurements_show(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    track(collected, study=study, uri=uri)
    measured = collected.measurements
    measured.loc[measured["run"] == "points-d0", "value"] += 1.0
    tracked = track(collected, study=study, uri=uri)
    assert (tracked.created, tracked.present, tracked.superseded) == (1, 3, 1)


def test_pictures_are_artifacts(tmp_path, uri, study):
    track(tiny_collected(tmp_path / "collected"), study=study, uri=uri)
    sizes = {"points": (400, 400), "grey": (3 * 5 * 11, 2 * 6 * 11), "colour": (3 * 4 * 16, 2 * 4 * 16)}
    client = client_of(uri)
    for run in runs_of(uri, study):
        if "dataset" not in run.data.params:
            continue
        names = [file.path for file in client.list_artifacts(run.info.run_id, "samples")]
        assert names == [f"samples/step_000000{step}.png" for step in (10, 20, 30)]
        with Image.open(client.download_artifacts(run.info.run_id, names[0], str(tmp_path))) as picture:
            assert picture.format == "PNG"
            picture.load()
            assert picture.size == sizes[run.data.params["dataset"]]


def test_artifacts_lie_beside_the_database(tmp_path, migrated):
    shutil.copy(migrated, tmp_path / "view.db")
    track(tiny_collected(tmp_path / "collected"), study="s", uri=f"sqlite:///{tmp_path}/view.db")
    assert len(list((tmp_path / "view-artifacts" / "s").glob("*/artifacts/samples/*.png"))) == 9


@pytest.mark.parametrize("before", ["new", "with absolute addresses"])
def test_artifacts_are_found_after_the_folder_has_moved(tmp_path, migrated, monkeypatch, before):
    """An MLflow started in the folder of the database finds them, wherever that is."""
    results = tmp_path / "results"
    results.mkdir()
    shutil.copy(migrated, results / "mlflow.db")
    uri, collected = f"sqlite:///{results}/mlflow.db", tiny_collected(tmp_path / "collected")
    if before != "new":  # as MLflow makes them
        client_of(uri).create_experiment("s", (results / "mlflow-artifacts" / "s").as_uri())
    (page := tmp_path / "report.html").write_text("report")
    track(collected, study="s", uri=uri, page=page)
    moved = results.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(moved)
    uri = f"sqlite:///{moved}/mlflow.db"  # whole, since MLflow keeps what it once opened under an address
    client = client_of(uri)
    tracked = {run.info.run_name: run.info.run_id for run in runs_of(uri, "s")}
    (tmp_path / "here").mkdir()
    path = client.download_artifacts(tracked["grey-d0"], "samples/step_00000010.png", str(tmp_path / "here"))
    with Image.open(path) as picture:
        assert picture.size == (3 * 5 * 11, 2 * 6 * 11)
    path = client.download_artifacts(tracked["report"], "report.html", str(tmp_path / "here"))
    assert Path(path).read_text() == "report"
    assert track(collected, study="s", uri=uri, page=page) == NOTHING_NEW
    assert [file.path for file in client.list_artifacts(tracked["points-d0"])] == ["samples"]
    assert not results.exists()


def test_twice_adds_nothing(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    track(collected, study=study, uri=uri)
    before = {run.info.run_id for run in runs_of(uri, study)}
    assert track(collected, study=study, uri=uri) == NOTHING_NEW
    assert {run.info.run_id for run in runs_of(uri, study)} == before
    assert_exactly_once(collected, uri, study)


@pytest.mark.parametrize("calls", [0, 1, 3, 4])
def test_an_interrupted_writer_is_made_up_for(tmp_path, server, study, monkeypatch, calls):
    from mlflow import MlflowClient

    uri = server

    collected = tiny_collected(tmp_path / "collected")
    log_batch, left = MlflowClient.log_batch, iter(range(calls))

    def failing(*args, **kwargs):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return log_batch(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", failing)
        with pytest.raises(KeyboardInterrupt):
            track(collected, study=study, uri=uri)
    tracked = track(collected, study=study, uri=uri)
    assert (tracked.created, tracked.present) == (4 - calls // 2, calls // 2)  # two calls a run, the last one marks it
    assert_exactly_once(collected, uri, study)


@pytest.mark.parametrize("rows", ["runs", "latest_metrics", "input_tags"])
def test_a_file_has_whole_runs_or_none(tmp_path, migrated, study, monkeypatch, rows):
    """A writer that is interrupted within a batch leaves nothing of it, and the batches before it."""
    shutil.copy(migrated, tmp_path / "mlflow.db")
    uri, collected = f"sqlite:///{tmp_path}/mlflow.db", tiny_collected(tmp_path / "collected")
    monkeypatch.setattr(stage, "RUNS_PER_BATCH", 1)
    with monkeypatch.context() as patch:
        write = LocalRuns.write

        def failing(self, runs):
            if runs[0][1].run == "colour-d0":
                patch.setitem(local_runs.INSERT, rows, "INSERT INTO absent VALUES (?)")
            write(self, runs)

        patch.setattr(LocalRuns, "write", failing)
        with pytest.raises(GanbenchError, match="no such table: absent"):
            track(collected, study=study, uri=uri)
    assert {run.info.run_name for run in runs_of(uri, study)} == {"points-d0", "grey-d0"}
    tracked = track(collected, study=study, uri=uri)
    assert (tracked.created, tracked.present) == (2, 2)
    assert_exactly_once(collected, uri, study)


def rows_of(database: Path) -> dict[str, list[tuple]]:
    """All rows of the tables that hold runs, without what differs between two stores: identifiers, and the marks."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        names = dict(connection.execute("SELECT run_uuid, name FROM runs"))
        names |= {key: name for name, key in connection.execute("SELECT name, dataset_uuid FROM datasets")}
        inputs = connection.execute("SELECT input_uuid, source_id, destination_id FROM inputs")
        names |= {key: f"{names[source]} of {names[run]}" for key, source, run in inputs}
        tables = {}
        for table in local_runs.INSERT:
            found = connection.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in found.description]
            rows = [dict(zip(columns, [names.get(cell, cell) for cell in row], strict=True)) for row in found]
            tables[table] = sorted(repr(row | {"artifact_uri": None}) for row in rows)
    return tables


def test_the_rows_in_a_file_are_those_of_mlflow_s_own_client(tmp_path, migrated, monkeypatch):
    collected = tiny_collected(tmp_path / "collected")
    twice = pd.concat([collected.curves, collected.curves.iloc[:3]])  # points that are there already
    collected = dataclasses.replace(collected, curves=twice)
    databases = {}
    for how in ("tables", "client"):
        (tmp_path / how).mkdir()
        databases[how] = shutil.copy(migrated, tmp_path / how / "mlflow.db")
        if how == "client":
            put = lambda store, records, frames: sum(store._send(record, frames) for record in records)  # noqa: E731
            monkeypatch.setattr(mlflow_store.MlflowStore, "_put", put)
        track(collected, study="s", uri=f"sqlite:///{databases[how]}")
    own, theirs = map(rows_of, databases.values())
    assert own.keys() == theirs.keys()
    for table, rows in own.items():
        assert rows, table
        assert rows == theirs[table], table


def test_the_runs_read_from_a_file_are_those_that_mlflow_s_own_client_reads(tmp_path, migrated):
    database, page = Path(shutil.copy(migrated, tmp_path / "mlflow.db")), tmp_path / "report.html"
    uri, client = f"sqlite:///{database}", client_of(f"sqlite:///{database}")
    page.write_text("report")
    for study in ("s", "other"):
        track(tiny_collected(tmp_path / study), study=study, uri=uri, page=page)
    experiment = client.get_experiment_by_name("s").experiment_id
    client.delete_run(runs_of(uri, "s")[-1].info.run_id)
    client.create_run(experiment, run_name="by hand")
    theirs = {run.info.run_id: (run.data.tags, run.data.params) for run in runs_of(uri, "s")}
    assert len(theirs) == 5
    assert {run.identifier: (run.tags, run.params) for run in LocalRuns(database, experiment, "").read()} == theirs


def test_the_origin_shows(tmp_path, uri, study):
    from mlflow.data import get_source
    from mlflow.data.schema import TensorDatasetSchema

    collected = tiny_collected(tmp_path / "collected")
    collected.runs["commit"] = "0123456789ab+"
    origin = Origin(Path("config/my study.yaml"), {"grey": "of-the-file"})
    track(collected, study=study, uri=uri, origin=origin)
    tracked = {run.info.run_name: run for run in runs_of(uri, study)}
    tags = tracked["grey-d0"].data.tags
    assert tags["mlflow.source.name"] == "config/my study.yaml"
    assert (tags["mlflow.source.git.commit"], tags["mlflow.source.git.dirty"]) == ("0123456789ab", "true")
    assert tags["mlflow.note.content"].startswith("diverged since step 30: text.\n")
    assert tags["mlflow.note.content"].endswith("\n\n    ganbench train 'config/my study.yaml' --only grey-d0")
    (used,) = tracked["grey-d0"].inputs.dataset_inputs
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    assert (used.dataset.name, len(used.dataset.digest)) == ("grey", 8)
    assert json.loads(used.dataset.profile) == {"num_rows": 100, "shape": [1, 6, 5]}
    schema = TensorDatasetSchema.from_dict(json.loads(used.dataset.schema))
    assert schema.features.inputs[0].shape == (-1, 1, 6, 5)
    assert "grey" in json.dumps(get_source(used.dataset).to_dict())
    # The same results from elsewhere are the same runs; other data are another data set.
    assert track(collected, study=study, uri=uri, origin=Origin(Path("elsewhere.yaml"), origin.data)) == NOTHING_NEW
    assert track(collected, study=study, uri=uri, origin=Origin(None, {"grey": "other"})).created == 1


def test_the_page_is_prepared(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    track(collected, study=study, uri=uri)
    client = client_of(uri)
    experiment = client.get_experiment_by_name(study)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.tags["mlflow.experiment.primaryMetric.name"] == "final/distance"
    views = {}
    for key in ("ganbench-methods", "ganbench-failed"):
        assert f"viewStateShareKey={key}" in experiment.tags["mlflow.note.content"]
        view = json.loads(experiment.tags[f"mlflow.sharedViewState.{key}"])
        assert {type(view[name]) for name in ("createdAt", "updatedAt")} == {int}
        views[key] = json.loads(view["state"])
        shown = {chart["metricKey"] for chart in views[key]["compareRunCharts"]}
        assert shown == {"discriminator_loss", "generator_loss", "distance", "modes", "final/distance", "final/modes"}
        sections = {section["uuid"] for section in views[key]["compareRunSections"]}
        assert {chart["metricSectionId"] for chart in views[key]["compareRunCharts"]} <= sections
    assert views["ganbench-methods"]["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "method"}]
    found = client.search_runs([experiment.experiment_id], views["ganbench-failed"]["searchFilter"])
    assert {run.info.run_name for run in found} == {"grey-d0", "colour-d0"}
    track(tiny_collected(tmp_path / "second", digest="e1"), study=study, uri=uri)
    found = client.search_runs([experiment.experiment_id], views["ganbench-methods"]["searchFilter"])
    assert {run.info.run_name for run in found} == {f"{name}-e1" for name in RUN_NAMES}, "no superseded runs"
    client.set_experiment_tag(experiment.experiment_id, "mlflow.note.content", "my own words")
    track(collected, study=study, uri=uri)
    assert client.get_experiment(experiment.experiment_id).tags["mlflow.note.content"] == "my own words"


def reports_of(uri: str, study: str) -> list:
    return [run for run in runs_of(uri, study) if "ganbench.report" in run.data.tags]


def test_the_report_is_an_artifact_of_one_run_that_the_description_names(tmp_path, uri, study):
    collected, page = tiny_collected(tmp_path / "collected"), tmp_path / "report.html"
    client, found = client_of(uri), set()
    (tmp_path / "here").mkdir()
    for text in ("first", "first", "second"):
        page.write_text(text)
        track(collected, study=study, uri=uri, page=page)
        (run,) = reports_of(uri, study)
        assert (run.info.run_name, run.info.status, run.data.metrics) == ("report", "FINISHED", {})
        assert Path(client.download_artifacts(run.info.run_id, "report.html", tmp_path / "here")).read_text() == text
        found.add((run.info.run_id, run.info.end_time))
    assert len(found) == 2, "a report that has not changed is not written again"
    assert len({identifier for identifier, _ in found}) == 1, "its address stays"
    experiment = client.get_experiment_by_name(study)
    address = f"#/experiments/{experiment.experiment_id}/runs/{run.info.run_id}/artifacts/report.html"
    assert f"[the report]({address}?workflowType=machine_learning)" in experiment.tags["mlflow.note.content"]


def test_runs_are_found_without_the_report_as_the_pages_say(tmp_path, uri, study, monkeypatch):
    import mlflow

    page = tmp_path / "report.html"
    page.write_text("report")
    track(tiny_collected(tmp_path / "collected"), study=study, uri=uri, page=page)
    (code,) = [block for block in blocks("python") if "mlflow.search_runs" in block]
    for words, mine in {"sqlite:///mlflow.db": uri, "my-study": study, "final/fd": "final/distance"}.items():
        assert words in code
        code = code.replace(words, mine)
    experiment, found = client_of(uri).get_experiment_by_name(study), {}
    try:
        exec(code, found)
    finally:
        mlflow.set_tracking_uri(None)
    assert set(found["runs"]["tags.ganbench.run"]) == {f"{name}-d0" for name in RUN_NAMES}
    view = json.loads(json.loads(experiment.tags["mlflow.sharedViewState.ganbench-methods"])["state"])
    shown = client_of(uri).search_runs([experiment.experiment_id], view["searchFilter"])
    assert {run.info.run_name for run in shown} == {f"{name}-d0" for name in RUN_NAMES}
    assert list(found["medians"].index) == sorted(f"of-{name}" for name in RUN_NAMES)


@pytest.mark.parametrize("call", ["log_artifact", "set_terminated", "set_tag"])
def test_a_report_that_was_not_logged_whole_is_logged_again(tmp_path, server, study, monkeypatch, call):
    from mlflow import MlflowClient

    collected, page = tiny_collected(tmp_path / "collected"), tmp_path / "report.html"
    client = client_of(server)
    (tmp_path / "here").mkdir()
    page.write_text("first")
    track(collected, study=study, uri=server, page=page)
    page.write_text("second")
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, call, lambda *_: sys.exit())
        with pytest.raises(SystemExit):
            track(collected, study=study, uri=server, page=page)
    page.write_text("first")  # whose checksum the run had
    track(collected, study=study, uri=server, page=page)
    (run,) = reports_of(server, study)
    assert run.info.status == "FINISHED"
    assert Path(client.download_artifacts(run.info.run_id, "report.html", tmp_path / "here")).read_text() == "first"


TRACK_AND_PRINT = """
import os, sys
from pathlib import Path
from ganbench.analysis.collected import Collected
from ganbench.pipeline.stages.track import track

folder, study, uri, dies = sys.argv[1:]
if dies == "dies":
    from mlflow import MlflowClient
    from ganbench.tracking.local_runs import LocalRuns
    MlflowClient.set_terminated = LocalRuns.write = lambda *args: os._exit(9)
tracked = track(Collected.read(Path(folder)), study=study, uri=uri)
print(tracked.created, tracked.present)
"""


def start_tracking(folder: Path, study: str, uri: str, dies: str = "lives") -> subprocess.Popen:
    command = [sys.executable, "-W", "error", "-c", TRACK_AND_PRINT, str(folder), study, uri, dies]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_process_is_made_up_for(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    killed = start_tracking(collected.folder, study, uri, "dies")
    killed.communicate(timeout=LIMIT_SECONDS)
    assert killed.returncode == 9
    assert [run.info.status for run in runs_of(uri, study)] == ([] if uri.startswith("sqlite") else ["RUNNING"])
    assert track(collected, study=study, uri=uri).created == 4
    assert_exactly_once(collected, uri, study)


def test_two_processes_at_the_same_time_lose_nothing(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    if uri.startswith("sqlite"):
        (tmp_path / "mlflow.db").unlink()  # a new store, whose tables both would like to make
    both = [start_tracking(collected.folder, study, uri) for _ in range(2)]
    outputs = [process.communicate(timeout=LIMIT_SECONDS) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    (second, says), (first, nothing) = sorted(outputs)
    assert (first, second) == ("4 0\n", "0 4\n")
    # Nothing else is printed: no logs of migrations, no links, no warnings.
    assert nothing == ""
    assert re.fullmatch(r"(the MLflow store .* is being written by .*; waiting for that\n)?", says)
    assert_exactly_once(collected, uri, study)


def test_a_changed_digest_supersedes(tmp_path, uri, study):
    first = tiny_collected(tmp_path / "first")
    second = tiny_collected(tmp_path / "second", digest="e1")
    track(first, study=study, uri=uri)
    tracked = track(second, study=study, uri=uri)
    assert (tracked.created, tracked.superseded) == (4, 4)
    assert track(second, study=study, uri=uri) == NOTHING_NEW

    def superseded() -> set[str]:
        return {run.info.run_name for run in runs_of(uri, study) if run.data.tags.get("ganbench.superseded")}

    assert len(runs_of(uri, study)) == 8
    assert superseded() == set(first.runs["run"])
    assert track(first, study=study, uri=uri) == dataclasses.replace(NOTHING_NEW, superseded=4)
    assert superseded() == set(second.runs["run"])


def test_runs_that_the_study_has_left_out_are_superseded(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    track(collected, study=study, uri=uri)
    fewer = collected.part(collected.runs[collected.runs["run"] != "grey-d0"])
    assert track(fewer, study=study, uri=uri) == dataclasses.replace(NOTHING_NEW, present=3, superseded=1)
    left = [run.info.run_name for run in runs_of(uri, study) if run.data.tags.get("ganbench.superseded")]
    assert left == ["grey-d0"]
    assert track(collected, study=study, uri=uri) == NOTHING_NEW
    assert not any(run.data.tags.get("ganbench.superseded") for run in runs_of(uri, study))


def test_new_numbers_under_the_same_digest_show(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    track(collected, study=study, uri=uri)
    collected.snapshots.loc[collected.snapshots["run"] == "colour-d0", "distance"] += 1.0  # evaluated differently
    tracked = track(collected, study=study, uri=uri)
    assert (tracked.created, tracked.present, tracked.superseded) == (1, 3, 1)
    current = [run for run in runs_of(uri, study) if "ganbench.superseded" not in run.data.tags]
    assert {run.info.run_name: points_of(uri, run) for run in current} == {
        run: expected_points(collected, run) for run in collected.runs["run"]
    }


def test_other_runs_of_the_experiment_are_left_alone(tmp_path, uri, study):
    client = client_of(uri)
    by_hand = client.create_run(client.create_experiment(study), run_name="by hand").info.run_id
    track(tiny_collected(tmp_path / "collected"), study=study, uri=uri)
    run = client.get_run(by_hand)
    assert run.info.lifecycle_stage == "active"
    assert not [name for name in run.data.tags if name.startswith("ganbench.")]


def test_a_deleted_experiment_comes_back(tmp_path, uri, study):
    collected = tiny_collected(tmp_path / "collected")
    track(collected, study=study, uri=uri)
    client = client_of(uri)
    client.delete_experiment(client.get_experiment_by_name(study).experiment_id)
    track(collected, study=study, uri=uri)
    assert_exactly_once(collected, uri, study)


def test_long_curves_are_written_in_batches(tmp_path, migrated):
    shutil.copy(migrated, tmp_path / "mlflow.db")
    collected = tiny_collected(tmp_path / "collected")
    steps = np.arange(1, 2501)
    long = {"run": "colour-d0", "series": "real_output", "first_step": steps, "last_step": steps}
    curves = pd.DataFrame(long | {"min": 0.0, "mean": steps / 7, "max": 1.0})
    collected = dataclasses.replace(collected, curves=curves)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    track(collected, study="s", uri=uri)
    assert_exactly_once(collected, uri, "s")


def test_the_caller_s_environment_and_logging_stay(tmp_path, migrated, monkeypatch):
    shutil.copy(migrated, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    levels = {name: logging.getLogger(name).level for name in ("mlflow", "alembic", "urllib3.connectionpool")}
    before = dict(os.environ)
    track(tiny_collected(tmp_path / "collected"), study="s", uri=f"sqlite:///{tmp_path}/mlflow.db")
    assert dict(os.environ) == before
    assert {name: logging.getLogger(name).level for name in levels} == levels


def test_importing_the_stage_does_not_import_mlflow():
    code = (
        "import sys, ganbench.pipeline.stages.track; sys.exit('mlflow' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_server_that_is_not_there_is_one_clear_error_and_soon(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        uri = f"http://someone:secret@127.0.0.1:{unused.getsockname()[1]}"
        importlib.import_module("mlflow")  # which takes its time
        began = time.monotonic()
        with pytest.raises(GanbenchError) as caught:
            track(tiny_collected(tmp_path / "collected"), study="s", uri=uri)
    assert time.monotonic() - began < 60, "MLflow tries for minutes unless it is told not to"
    message = str(caught.value)
    assert uri.replace("someone:secret@", "") in message
    assert "secret" not in message
    assert "mlflow server --host" in message
    assert "Connection refused" in message


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("sqlite:///{tmp}/missing/mlflow.db", "no folder .*missing.*mkdir -p"),
        ("sqlite:///{tmp}/collected", "is not an SQLite database"),
        ("sqlite:///{tmp}/text.db", "is not an SQLite database"),
        ("sqlite://", "neither sqlite:///"),
        ("sqlite:///:memory:", "neither sqlite:///"),
        ("{tmp}/mlruns", "neither sqlite:///"),
        ("ftp://host/mlflow", "neither sqlite:///"),
        ("http://", "neither sqlite:///"),
    ],
)
def test_a_wrong_uri_is_one_clear_error(tmp_path, uri, says):
    collected = tiny_collected(tmp_path / "collected")
    (tmp_path / "text.db").write_text("these are notes, and no tables")
    with pytest.raises(GanbenchError, match=says):
        track(collected, study="s", uri=uri.format(tmp=tmp_path))


@pytest.mark.parametrize("shape", [(1, 4, 4), (2,), (1,), (3,)])
def test_samples_that_are_not_numbers_are_drawn_as_such(tmp_path, shape):
    samples = np.zeros((1, 4, *shape))
    samples[0, 1] = math.nan
    record = RunRecord("run", "FINISHED", 0, 1, {}, {}, [], np.array([5]), samples, None, {})
    assert draw_samples(record, make_frame(np.ones((3, *shape))), tmp_path) == 1
    with Image.open(tmp_path / "step_00000005.png") as picture:
        if len(shape) == 3:
            assert picture.getpixel((picture.width - 1, 0)) == (255, 0, 255)
            assert picture.getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("size", [1, 2])
def test_points_are_drawn_over_the_real_ones_in_limits_that_stay(tmp_path, size):
    rng = np.random.default_rng(0)
    frame = make_frame(rng.normal(size=(500, size)))
    limits = frame._axes.get_xlim()
    pictures = []
    for step, points in enumerate((rng.normal(size=(200, size)), np.full((200, size), 0.5), np.full((2, size), 1e9))):
        frame.draw(points, step, tmp_path / "picture.png")
        with Image.open(tmp_path / "picture.png") as picture:
            pictures.append(np.asarray(picture.convert("RGB")))
        assert frame._axes.get_xlim() == limits
    assert "2 generated, 2 outside the frame" in frame._axes.get_title()
    assert all(not np.array_equal(one, other) for one, other in itertools.combinations(pictures, 2))


def write_networks(run: str, folder: Path) -> None:
    """What `ganbench export` writes of a small generator of eight Gaussians."""
    spec = build_component("dataset", "ring8", {}).spec
    built = build_component("architecture", "mlp", {"width": 8})
    folder.mkdir(parents=True)
    save_model(initial_module(built, "generator", spec, seed=0), str(folder / "generator.safetensors"))
    about = {"study": "s", "run": run, "step": 30, "seed": 1, "metrics": None, "latent_size": built.latent_size}
    about |= {"conditional": [], "batch_size": 3, "data": dataclasses.asdict(spec)}
    about |= {"architecture": {"name": "mlp", "options": {"width": 8}}}
    for name in ("files", "archives"):
        about["data"].pop(name, None)
    (folder / "model.json").write_text(json.dumps(about))


def test_generators_of_chosen_runs_are_models(tmp_path, uri, study):
    """Logged once, with the run's final metrics, and deleted when other runs are chosen."""
    collected = tiny_collected(tmp_path / "collected")
    given = {"study": study, "uri": uri, "write": write_networks}
    assert track(collected, **given, chosen={"grey-d0": "best", "points-d0": "worst"}).models == 2
    assert track(collected, **given, chosen={"grey-d0": "best", "points-d0": "worst"}) == NOTHING_NEW
    client = client_of(uri)
    experiment = client.get_experiment_by_name(study).experiment_id
    models = {model.tags["ganbench.run"]: model for model in client.search_logged_models([experiment])}
    assert {run: model.tags["ganbench.place"] for run, model in models.items()} == {
        "grey-d0": "best",
        "points-d0": "worst",
    }
    model, run = models["grey-d0"], next(run for run in runs_of(uri, study) if run.info.run_name == "grey-d0")
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
    assert {point.key: point.value for point in model.metrics} == {
        name: value for name, value in run.data.metrics.items() if name.startswith("final/")
    }
    assert_exactly_once(collected, uri, study)
    assert track(collected, **given, chosen={"points-d0": "worst"}) == NOTHING_NEW
    assert [model.tags["ganbench.run"] for model in client.search_logged_models([experiment])] == ["points-d0"]


def test_a_model_is_loaded_after_the_folder_has_moved(tmp_path, migrated, monkeypatch):
    results = tmp_path / "results"
    results.mkdir()
    shutil.copy(migrated, results / "mlflow.db")
    collected = tiny_collected(tmp_path / "collected")
    uri, chosen = f"sqlite:///{results}/mlflow.db", {"points-d0": "best"}
    track(collected, study="s", uri=uri, chosen=chosen, write=write_networks)
    from mlflow import pyfunc  # whose first import warns of its own types, unless `track` has imported it

    moved = results.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(moved)
    uri = f"sqlite:///{moved}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = client_of(uri)
    (found,) = client.search_logged_models([client.get_experiment_by_name("s").experiment_id])
    assert not [path for path in (moved / found.artifact_location).rglob("*") if path.suffix in (".pkl", ".pth", ".pt")]
    model = pyfunc.load_model(found.artifact_location)
    latent = np.random.default_rng(0).standard_normal((7, model.metadata.signature.inputs.inputs[0].shape[1]))
    examples = model.predict(latent.astype(np.float32))
    with torch.no_grad():
        module = load(moved / found.artifact_location / "data" / "networks")
        parts = torch.from_numpy(latent.astype(np.float32)).split(3)
        np.testing.assert_array_equal(examples, torch.cat([module(part) for part in parts]))
    assert pyfunc.load_model(found.artifact_location).metadata.metadata["run"] == "points-d0"
    (block,) = [block for block in blocks("python") if "mlflow.pyfunc" in block]
    shown, mine = {}, {"my-study": "s", "digits-dcgan-r1": found.tags["method"], "100": str(latent.shape[1])}
    for words, of_study in mine.items():
        assert words in block
        block = block.replace(words, of_study)
    try:
        exec(block, shown)
    finally:
        shown["mlflow"].set_tracking_uri(None)
    assert shown["found"].model_id == found.model_id
    assert shown["examples"].shape == (64, 2)
    with pytest.raises(Exception, match="Failed to enforce schema"):
        model.predict(latent[:, 1:].astype(np.float32))
