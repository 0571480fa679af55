"""Numbers of a recorded series that claims name: its level early, late and in all of training, and its extremes.

| name | number |
|---|---|
| `early.<series>` | median of the bin means in the first `outcome.early_share` of the steps recorded |
| `late.<series>` | median of the bin means in the last `outcome.late_share` of the steps asked for |
| `median.<series>` | median of the bin means of all steps recorded |
| `min.<series>` | the smallest value of any step |
| `max.<series>` | the largest value of any step |

Early and late bins are those that detectors of outcomes look at: all before the first value of any series that is not
finite count as recorded, the first bin is always early, and a run that was stopped was asked for the steps up to there.
A run that diverged before the last share has no late level. The other numbers are of all that was recorded: there, a
bin with a value that is no number ends the series, and an infinite value is a value like others.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ganbench.analysis.recorded_series import recorded_series


def curve_quantity(how: str, series: str, curves: pd.DataFrame, runs: pd.DataFrame) -> dict[str, float]:
    """Compute a number of a recorded series in every run.

    Args:
        how: `early`, `late`, `median`, `min` or `max`.
        series: the name of the series.
        curves: the table `curves`.
        runs: the table `runs`, indexed by the runs' identifiers.

    Returns:
        By run, the number; NaN where no bin is left. Runs without the series are left out.
    """
    mine = curves[curves["series"] == series].sort_values("first_step", kind="stable")
    if how not in ("early", "late"):
        return {run: _of_all(how, bins) for run, bins in mine.groupby("run")}
    with_it = curves[curves["run"].isin(mine["run"])]
    return {run: _level(how, series, rows, runs.loc[run]) for run, rows in with_it.groupby("run")}


def _level(how: str, name: str, curves: pd.DataFrame, run: pd.Series) -> float:
    series = recorded_series(curves).get(name)
    if series is None:
        return math.nan
    if how == "early":
        chosen = series.early(run["outcome_early_share"])
    else:
        steps = run["steps"] if pd.isna(run["stopped_step"]) else run["stopped_step"]
        chosen = series.late(run["outcome_late_share"], steps)
    return float(np.median(series.mean[chosen])) if chosen.any() else math.nan


def _of_all(how: str, bins: pd.DataFrame) -> float:
    values = bins[["min", "mean", "max"]].to_numpy(dtype=np.float64)
    broken = np.isnan(values).any(axis=1)
    low, mean, high = values[: int(broken.argmax()) if broken.any() else len(broken)].T
    if not len(mean):
        return math.nan
    match how:
        case "min":
            return float(low.min())
        case "max":
            return float(high.max())
        case _:
            with np.errstate(invalid="ignore"):  # the mean of the middle two, infinity and its negative
                return float(np.median(mean))
