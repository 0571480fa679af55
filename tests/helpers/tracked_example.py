"""The tables of four small runs, and what an MLflow store should hold and holds of them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected, write
from ganbench.analysis.columns import (
    AXES,
    CURVES,
    EVENTS,
    MEASUREMENTS,
    MODES,
    NULLS,
    REFERENCES,
    RUN_OUTCOMES,
    RUNS,
    SNAPSHOTS,
)
from ganbench.core import result_files
from ganbench.core.metric_info import MetricInfo
from ganbench.core.recorder import GAN_SERIES, series_names

RUN_NAMES = ("points", "grey", "colour", "toy")
OUTCOMES = ("converged", "diverged", "collapsed", "converged")
SHAPES = ((2,), (1, 6, 5), (3, 4, 4), None)
TOY = series_names(("x", "y"), ())  # a game of two numbers: no data, no samples, no snapshots
# What diagnostics found: numbers, one that is not defined and one that is infinite, and some of no run.
MEASURED = {
    "points": {"path.final_radius": 2.5, "rotation.mean": 0.25},
    "toy": {"path.growth": 7.5, "path.turns": math.nan, "step_map.stability_limit": math.inf},
    "": {"convolution.example_1": 5.0},
}


def tiny_collected(folder: Path, *, digest: str = "d0") -> Collected:
    """Writes the tables of four runs and reads them back: one of points, a diverged one, one in colour, and a game.

    Curves have bins of one step and of several; the diverged run has infinite and undefined values in its last bins.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    runs, snapshots, curves = [], [], []
    with result_files.create_file(folder / "samples.h5", "samples") as file:
        for index, (run, outcome, shape) in enumerate(zip(RUN_NAMES, OUTCOMES, SHAPES, strict=True)):
            axes = dict.fromkeys(AXES, "some") | {"dataset": run, "n_train": 100, "learning_rate": 2e-4, "seed": index}
            axes["generator_learning_rate"] = None
            if shape is None:
                axes |= dict.fromkeys(("dataset", "architecture", "objective", "regularizer", "n_train"))
            row = dict.fromkeys(RUNS, "text") | axes | {"run": f"{run}-{digest}", "method": f"of-{run}"}
            row |= {"outcome": outcome, "outcome_onset": 30, "steps": 40, "steps_done": 30, "fused": index == 0}
            row |= dict.fromkeys(("stopped_step", "stopped_for"))
            row |= {
                "discriminator_parameters": 12,
                "generator_parameters": 34,
                "cuda": "",
                "tf32": "",
                "digest": f"{digest}{index}",
            }
            row |= {"architecture_width": None if shape is None else 64, "train_precision": "float32"}
            row |= {"trained_at": "2025-03-01T12:00:00+00:00", "train_seconds": 60.0}
            row |= {"mode_forgetting": 0.125 if index == 0 else math.nan}
            distance = math.nan if shape is None else 0.5 + index
            runs.append(row | {"distance_final": distance, "modes_final": 3.0 if index == 0 else math.nan})
            for step in (10, 20, 30) if shape else ():
                cells = {"run": row["run"], **axes, "method": row["method"], "step": step}
                snapshots.append(cells | {"distance": rng.random(), "modes": step / 10 if index == 0 else math.nan})
            for series in GAN_SERIES if shape else TOY:
                for first, last in ((1, 1), (2, 2), (3, 10), (11, 20), (21, 30)):
                    low, mean, high = np.sort(rng.normal(size=3))
                    if outcome == "diverged" and last == 20:
                        mean = high = math.inf
                    if outcome == "diverged" and last == 30:
                        low = mean = high = math.nan
                    curves.append(dict(zip(CURVES, (row["run"], series, first, last, low, mean, high), strict=True)))
            if shape is None:
                continue
            samples = rng.uniform(-1, 1, size=(3, 5, *shape)).astype(np.float32)
            real = rng.uniform(-1, 1, size=(20, *shape)).astype(np.float32)
            result_files.write_tree(
                file.create_group(f"runs/{row['run']}"), {"step": np.array([10, 20, 30]), "samples": samples}
            )
            result_files.write_tree(file.require_group("real"), {run: real})
    measured = [
        (run and f"{run}-{digest}", quantity, value) for run, row in MEASURED.items() for quantity, value in row.items()
    ]
    quantities = {quantity for _, quantity, _ in measured}
    infos = {
        name: {column: dataclasses.asdict(MetricInfo(column, "what", "low", 0.0, None)) for column in columns}
        for name, columns in (("metrics", ("distance", "modes")), ("quantities", quantities))
    }
    tables = {
        "runs": pd.DataFrame(runs).astype({"architecture_width": "Int64"}),
        "snapshots": pd.DataFrame(snapshots, columns=[*SNAPSHOTS, "distance", "modes"]),
        "curves": pd.DataFrame(curves),
        "references": pd.DataFrame(columns=list(REFERENCES)),
        "nulls": pd.DataFrame(columns=list(NULLS)),
        "measurements": pd.DataFrame(measured, columns=list(MEASUREMENTS)),
        "run_outcomes": pd.DataFrame(columns=list(RUN_OUTCOMES)),
        "events": pd.DataFrame(columns=list(EVENTS)),
        "modes": pd.DataFrame(columns=list(MODES)),
    }
    write(folder, tables, infos)
    return Collected.read(folder)


def expected_points(collected: Collected, run: str) -> list[tuple[str, int, str]]:
    """What MLflow should hold of a run, as (series, step, value in words): written out anew, value by value."""
    points = []
    for row in collected.curves[collected.curves["run"] == run].itertuples():
        points.append((row.series, row.last_step, row.mean))
        if row.series.endswith("_loss") and row.last_step > row.first_step:
            points.append((f"range/{row.series}_min", row.last_step, row.min))
            points.append((f"range/{row.series}_max", row.last_step, row.max))
    for row in collected.snapshots[collected.snapshots["run"] == run].itertuples():
        points.append(("distance", row.step, row.distance))
        if run.startswith("points"):
            points.append(("modes", row.step, row.modes))
    final = collected.runs.set_index("run").loc[run]
    if not run.startswith("toy"):
        points.append(("final/distance", 0, final["distance_final"]))
    if run.startswith("points"):
        points.append(("final/modes", 0, final["modes_final"]))
        points.append(("final/mode_forgetting", 0, final["mode_forgetting"]))
    measured = MEASURED.get(run.partition("-")[0], {})
    points += [(f"measured/{quantity}", 0, value) for quantity, value in measured.items()]
    return sorted((name, step, repr(float(value))) for name, step, value in points if not math.isinf(value))


def client_of(uri: str):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def runs_of(uri: str, study: str) -> list:
    """The study's active MLflow runs."""
    client = client_of(uri)
    return list(client.search_runs([client.get_experiment_by_name(study).experiment_id]))


def points_of(uri: str, run) -> list[tuple[str, int, str]]:
    """Every point MLflow holds of a run, as `expected_points` words them."""
    client = client_of(uri)
    history = [point for name in run.data.metrics for point in client.get_metric_history(run.info.run_id, name)]
    return sorted((point.key, point.step, repr(point.value)) for point in history)


def assert_exactly_once(collected: Collected, uri: str, study: str) -> None:
    tracked = {run.data.tags["ganbench.run"]: run for run in runs_of(uri, study)}
    assert len(tracked) == len(runs_of(uri, study)), "a run is there twice"
    assert set(tracked) == set(collected.runs["run"])
    for name, run in tracked.items():
        assert run.data.tags["ganbench.complete"] == "true"
        assert points_of(uri, run) == expected_points(collected, name)
