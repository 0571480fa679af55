"""The metrics of a run in MLflow: names, values and steps.

A series and a metric of snapshots have their own names, and their values the training steps at which they were taken,
so that one axis shows both. Three groups hold the rest, each a section of its own among MLflow's charts:

    range/<series>_min, range/<series>_max   extremes of a bin of steps, of losses, whose means hide spikes
    final/<metric>                           value of the last networks, as tables and the report compare it
    measured/<experiment>.<column>           number that a diagnostic measured after training

A number that a run has once is logged at step 0. MLflow draws a metric as a curve if its last step is 1 or more, and as
bars, one for every run, otherwise; of a single value, bars show something and a curve does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import compress, repeat
from typing import Any

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected

Point = tuple[str, float, int]  # name, value and step

RANGE, FINAL, MEASURED = "range", "final", "measured"
EXTREMES = "_loss"  # ending of the series whose extremes are logged too
ONCE = 0  # step of numbers that a run has once


def run_points(
    collected: Collected, row: dict[str, Any], curves: pd.DataFrame, snapshots: pd.DataFrame, measured: pd.DataFrame
) -> Iterator[Point]:
    """All points of a run.

    Args:
        collected: the collected results of the study.
        row: the row of the run in the table of runs.
        curves, snapshots, measured: the rows of the run in these tables, in the order of their steps.
    """
    yield from _curve_points(curves)
    steps = snapshots["step"].to_numpy()
    for name in collected.metrics:
        if name in snapshots:
            values = snapshots[name].to_numpy(dtype=np.float64, na_value=np.nan)
            known = ~np.isnan(values)
            yield from zip(repeat(name), values[known].tolist(), steps[known].tolist())
        if len(snapshots) and not pd.isna(row.get(f"{name}_final", math.nan)):
            yield f"{FINAL}/{name}", row[f"{name}_final"], ONCE
    if not pd.isna(row["mode_forgetting"]):
        yield f"{FINAL}/mode_forgetting", row["mode_forgetting"], ONCE
    for quantity, value in zip(measured["quantity"], measured["value"], strict=True):
        yield f"{MEASURED}/{quantity}", value, ONCE


def _curve_points(curves: pd.DataFrame) -> Iterator[Point]:
    """The mean of every bin at its last step, and for losses the extremes of bins with several steps."""
    # Lists: runs are many and have few rows each, for which operations on columns take longer.
    names, firsts, lasts = (curves[column].tolist() for column in ("series", "first_step", "last_step"))
    yield from zip(names, curves["mean"].tolist(), lasts, strict=True)
    wide = [first < last and name.endswith(EXTREMES) for name, first, last in zip(names, firsts, lasts, strict=True)]
    for column in ("min", "max"):
        found = (f"{RANGE}/{name}_{column}" for name in compress(names, wide))
        yield from zip(found, compress(curves[column].tolist(), wide), compress(lasts, wide), strict=True)
