"""Where new examples of the distribution score, from draws of real examples of which some are independent."""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy import stats

from ganbench.core.metric_info import MetricInfo

CONFIDENCE = 0.95


def spread(values: np.ndarray, info: MetricInfo, together: int | None) -> dict[str, float]:
    """Mean, standard deviation and interval of draws, (draws,), the interval within the metric's bounds."""
    if not np.isfinite(values).all():
        return dict.fromkeys(("mean", "std", "low", "high"), float("nan"))
    mean, std, reach = float(values.mean()), *(float(each) for each in std_and_reach(values, together))
    mean, low, high = np.clip((mean, mean - reach, mean + reach), info.lower, info.upper).tolist()
    return {"mean": mean, "std": std, "low": low, "high": high}


def std_and_reach(values: np.ndarray, together: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The standard deviation of draws, and half of the interval about their mean that new examples score in.

    Draws that are independent of one another form a group; std^2 is the mean variance within groups. A group of k draws
    has a mean of variance std^2 / k. Groups depend on one another, but whatever the dependence, the standard deviation
    of a weighted mean is at most the weighted mean of the standard deviations: std sum(sqrt(k)) / draws. With the new
    examples' own std^2, the interval is t std sqrt(1 + (sum(sqrt(k)) / draws)^2), which for a single group is the usual
    one of a new observation, t std sqrt(1 + 1 / draws).

    Args:
        values: shape (draws, ...).
        together: number of draws in a row that are independent of one another; None for all of them.
    """
    draws = len(values)
    groups = np.split(values, range(together or draws, draws, together or draws))
    df = draws - len(groups)
    with np.errstate(invalid="ignore"):
        squares = sum(((group - group.mean(axis=0)) ** 2).sum(axis=0) for group in groups)
    std = np.sqrt(squares / df)
    standard_error = sum(sqrt(len(group)) for group in groups) / draws  # of the mean, in units of std
    return std, stats.t.ppf((1 + CONFIDENCE) / 2, df) * std * sqrt(1 + standard_error**2)
