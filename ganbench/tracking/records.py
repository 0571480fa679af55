"""Records of runs for MLflow: parameters, tags, times, points of every series, measurements and samples.

Numbers are unchanged, with one exception. MLflow stores NaN, but its SQL stores replace infinity by the largest float.
So infinite values are left out and counted in the tag `ganbench.infinite_left_out`.

An empty cell in the table of snapshots belongs to a metric that is not defined for the run, and is not logged. A
measurement without a value is one that a diagnostic found undefined, and is logged as NaN.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, RUNS, setting_columns

PARAMS = (*AXES, "steps", "discriminator_parameters", "generator_parameters")
TAGS = tuple(name for name in RUNS if name not in (*PARAMS, "run", "trained_at", "train_seconds", "mode_forgetting"))
EXTREMES = "_loss"  # ending of the series whose extremes are logged too, since means hide spikes


@dataclass(frozen=True)
class Record:
    """The content of one run in MLflow.

    Attributes:
        run: name of the run in the tables.
        status: "FAILED" for a diverged run, "KILLED" for one that was stopped early, else "FINISHED".
        start_ms, end_ms: start and end of training, in milliseconds since 1970.
        params: parameters by name.
        tags: tags by name.
        points: tuples (series, value, time in milliseconds since 1970, step).
        sample_steps: steps of the snapshots with samples, shape (S,).
        samples: n generated examples of every snapshot, shape (S, n, *shape).
    """

    run: str
    status: str
    start_ms: int
    end_ms: int
    params: dict[str, str]
    tags: dict[str, str]
    points: list[tuple[str, float, int, int]]
    sample_steps: np.ndarray
    samples: np.ndarray

    @property
    def axes(self) -> tuple[str | None, ...]:
        """The point of the run in the grid, which does not change with the run's digest."""
        return tuple(self.params.get(axis) for axis in AXES)

    @cached_property
    def content(self) -> str:
        """SHA-256 of the whole record, which reveals new numbers under an old digest."""
        text = repr((self.run, self.status, self.start_ms, self.end_ms, self.params, self.tags, self.points))
        sums = hashlib.sha256(text.encode())
        sums.update(repr((self.sample_steps.tolist(), self.samples.shape)).encode())
        sums.update(np.ascontiguousarray(self.samples).tobytes())
        return sums.hexdigest()


def records(collected: Collected) -> Iterator[Record]:
    """The records of all runs of a study.

    Args:
        collected: the collected results of the study.
    """
    curves = dict(iter(collected.curves.groupby("run", sort=False)))
    snapshots = dict(iter(collected.snapshots.groupby("run", sort=False)))
    measured = dict(iter(collected.measurements.groupby("run", sort=False)))
    settings = setting_columns(collected.runs.columns, collected.metrics)
    for row in collected.runs.to_dict("records"):
        run = row["run"]
        own_snapshots = snapshots.get(run, collected.snapshots.iloc[:0]).sort_values("step")
        points = [
            *_curve_points(curves.get(run, collected.curves.iloc[:0])),
            *_metric_points(collected, row, own_snapshots),
            *_measured_points(measured.get(run, collected.measurements.iloc[:0]), row["steps_done"]),
        ]
        finite = [point for point in points if not math.isinf(point[1])]
        end = pd.Timestamp(row["trained_at"])
        end_ms = round((end.tz_localize("UTC") if end.tzinfo is None else end).timestamp() * 1000)
        start_ms = round(end_ms - 1000 * row["train_seconds"])
        # Only the total time is known, so all steps are assumed to take the same time.
        step_ms = (end_ms - start_ms) / max(row["steps_done"], 1)
        tags = {"ganbench.run": run} | _texts(row, TAGS)
        if len(finite) < len(points):
            tags["ganbench.infinite_left_out"] = str(len(points) - len(finite))
        steps, samples = collected.samples(run) if len(own_snapshots) else (np.empty(0, int), np.empty(0))
        yield Record(
            run=run,
            status=_status(row),
            start_ms=start_ms,
            end_ms=end_ms,
            params=_texts(row, (*PARAMS, *settings)),
            tags=tags,
            points=[
                (name, float(value), min(round(start_ms + step_ms * step), end_ms), int(step))
                for name, value, step in finite
            ],
            sample_steps=steps,
            samples=samples,
        )


def _status(row: dict[str, Any]) -> str:
    if row["outcome"] == "diverged":
        return "FAILED"
    return "FINISHED" if pd.isna(row["stopped_step"]) else "KILLED"


def _texts(row: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The named cells of a row as text, without empty cells."""
    cells = {name: row[name] for name in names if not pd.isna(row[name]) and row[name] != ""}
    if "n_train" in cells:  # the column holds floats, since its cells are empty for games without data
        cells["n_train"] = int(cells["n_train"])
    return {name: str(value) for name, value in cells.items()}


def _curve_points(curves: pd.DataFrame) -> Iterator[tuple[str, float, int]]:
    """The mean of every bin at its last step, and for losses the extremes of bins with several steps."""
    for series, bins in curves.groupby("series", sort=False):
        wide = bins[bins["first_step"] < bins["last_step"]] if series.endswith(EXTREMES) else bins.iloc[:0]
        for key, column, rows in (("", "mean", bins), (".min", "min", wide), (".max", "max", wide)):
            for value, step in zip(rows[column], rows["last_step"], strict=True):
                yield f"{series}{key}", value, step


def _metric_points(
    collected: Collected, row: dict[str, Any], snapshots: pd.DataFrame
) -> Iterator[tuple[str, float, int]]:
    """The values of every metric at the run's snapshots; its final value and what was forgotten at the last one."""
    for name in collected.metrics:
        values = snapshots[name].dropna() if name in snapshots else pd.Series(dtype=float)
        for index, value in values.items():
            yield name, value, snapshots.at[index, "step"]
        if len(snapshots) and not pd.isna(row.get(f"{name}_final", math.nan)):
            yield f"{name}_final", row[f"{name}_final"], snapshots["step"].iloc[-1]
    if not pd.isna(row["mode_forgetting"]):
        yield "mode_forgetting", row["mode_forgetting"], snapshots["step"].iloc[-1]


def _measured_points(measured: pd.DataFrame, step: int) -> Iterator[tuple[str, float, int]]:
    """Every value that a diagnostic measured of a run, at the run's last step."""
    for quantity, value in zip(measured["quantity"], measured["value"], strict=True):
        yield quantity, value, step
