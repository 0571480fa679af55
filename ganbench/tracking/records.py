"""Records of runs for MLflow: parameters, tags, times, points of every series, the data set, and samples.

Numbers are unchanged, with one exception. MLflow stores NaN, but its SQL stores replace infinity by the largest float.
So infinite values are left out and counted in the tag `ganbench.infinite_left_out`.

An empty cell in the table of snapshots belongs to a metric that is not defined for the run, and is not logged. A
measurement without a value is one that a diagnostic found undefined, and is logged as NaN.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, RUNS, option_columns
from ganbench.analysis.methods import failed
from ganbench.tracking.origin import UNKNOWN, DataUse, Origin
from ganbench.tracking.points import ONCE, run_points

PARAMS = (*AXES, "steps", "discriminator_parameters", "generator_parameters")
TAGS = tuple(name for name in RUNS if name not in (*PARAMS, "run", "trained_at", "train_seconds", "mode_forgetting"))


@dataclass(frozen=True)
class RunRecord:
    """The content of one run in MLflow.

    Attributes:
        run: name of the run in the tables.
        status: "FAILED" for a failed run, else "FINISHED".
        start_ms, end_ms: start and end of training, in milliseconds since 1970.
        params: parameters by name.
        tags: tags by name.
        points: tuples (name, value, time in milliseconds since 1970, step).
        sample_steps: steps of the snapshots with samples, shape (S,).
        samples: n generated examples of every snapshot, shape (S, n, *shape).
        data: the data set and the number of its examples; None for a game without data.
        about: tags of MLflow's own that depend on where and how the study is run, and not on its results.
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
    data: DataUse | None
    about: dict[str, str]

    @cached_property
    def content(self) -> str:
        """SHA-256 of the record without `about`, which reveals new numbers under an old digest."""
        text = repr((self.run, self.status, self.start_ms, self.end_ms, self.params, self.tags, self.points, self.data))
        sums = hashlib.sha256(text.encode())
        sums.update(repr((self.sample_steps.tolist(), self.samples.shape)).encode())
        sums.update(np.ascontiguousarray(self.samples).tobytes())
        return sums.hexdigest()


def records(collected: Collected, origin: Origin = UNKNOWN, pictured: Set[str] | None = None) -> Iterator[RunRecord]:
    """The records of all runs of a study.

    Args:
        collected: the collected results of the study.
        origin: where the study and its data come from.
        pictured: names of the runs whose samples the records have; None for all runs with samples.
    """
    shapes = {name: collected.real(name).shape[1:] for name in collected.gans.runs["dataset"].unique()}
    curves = dict(iter(collected.curves.groupby("run", sort=False)))
    snapshots = dict(iter(collected.snapshots.sort_values("step").groupby("run", sort=False)))
    measured = dict(iter(collected.measurements.groupby("run", sort=False)))
    options = option_columns(collected.runs.columns, collected.metrics)
    for row, fails in zip(collected.runs.to_dict("records"), failed(collected.runs), strict=True):
        run = row["run"]
        own_snapshots = snapshots.get(run, collected.snapshots.iloc[:0])
        points = list(
            run_points(
                collected,
                row,
                curves.get(run, collected.curves.iloc[:0]),
                own_snapshots,
                measured.get(run, collected.measurements.iloc[:0]),
            )
        )
        finite = [point for point in points if not math.isinf(point[1])]
        end = pd.Timestamp(row["trained_at"])
        end_ms = round((end.tz_localize("UTC") if end.tzinfo is None else end).timestamp() * 1000)
        start_ms = round(end_ms - 1000 * row["train_seconds"])
        # Only the total time is known, so all steps are assumed to take the same time.
        step_ms = (end_ms - start_ms) / max(row["steps_done"], 1)
        tags = {"ganbench.run": run} | _texts(row, TAGS)
        if len(finite) < len(points):
            tags["ganbench.infinite_left_out"] = str(len(points) - len(finite))
        drawn = len(own_snapshots) and (pictured is None or run in pictured)
        steps, samples = collected.samples(run) if drawn else (np.empty(0, int), np.empty(0))
        yield RunRecord(
            run=run,
            status="FAILED" if fails else "FINISHED",
            start_ms=start_ms,
            end_ms=end_ms,
            params=_texts(row, (*PARAMS, *options)),
            tags=tags,
            points=[
                (name, float(value), end_ms if step == ONCE else min(round(start_ms + step_ms * step), end_ms), step)
                for name, value, step in finite
            ],
            sample_steps=steps,
            samples=samples,
            data=origin.data_of(row, shapes.get(row["dataset"], ()) if len(own_snapshots) else ()),
            about=origin.tags(row),
        )


def _texts(row: dict[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The named cells of a row as text, without empty cells."""
    cells = {name: row[name] for name in names if not pd.isna(row[name]) and row[name] != ""}
    if "n_train" in cells:  # the column holds floats, since its cells are empty for games without data
        cells["n_train"] = int(cells["n_train"])
    return {name: str(value) for name, value in cells.items()}
