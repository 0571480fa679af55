"""Numbers of a recorded series that claims name: its level early and late in training, and its extremes.

| name | number |
|---|---|
| `early.<series>` | median of the bin means in the first `outcome.early_share` of the steps asked for |
| `late.<series>` | median of the bin means in the last `outcome.late_share` of the steps recorded |
| `lowest.<series>` | the smallest value of any step |
| `highest.<series>` | the largest value of any step |

The first bin is always an early one, and the last a late one. Of a run that diverged or was stopped, what was recorded
counts. A bin with a value that is no number ends the series; an infinite value is a value like others.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd


def curve_quantity(how: str, series: str, curves: pd.DataFrame, runs: pd.DataFrame) -> dict[str, float]:
    """Compute a number of a recorded series in every run.

    Args:
        how: `early`, `late`, `lowest` or `highest`.
        series: The name of the series.
        curves: The table `curves`.
        runs: The table `runs`, indexed by the runs' identifiers.

    Returns:
        By run, the number; NaN where no bin is left. Runs without the series are left out.
    """
    mine = curves[curves["series"] == series].sort_values("first_step", kind="stable")
    return {run: _number(how, bins, runs.loc[run]) for run, bins in mine.groupby("run")}


def _number(how: str, bins: pd.DataFrame, run: pd.Series) -> float:
    values = bins[["min", "mean", "max"]].to_numpy(dtype=np.float64)
    broken = np.isnan(values).any(axis=1)
    kept = slice(int(broken.argmax()) if broken.any() else len(broken))
    (low, mean, high), last = values[kept].T, bins["last_step"].to_numpy()[kept]
    if not len(last):
        return math.nan
    match how:
        case "lowest":
            return float(low.min())
        case "highest":
            return float(high.max())
        case "early":
            chosen = last <= run["outcome_early_share"] * run["steps"]
            chosen[0] = True
        case _:
            chosen = last > (1 - run["outcome_late_share"]) * last[-1]  # of a run's last bin always true
    with np.errstate(invalid="ignore"):  # the mean of the middle two, infinity and its negative
        return float(np.median(mean[chosen]))
