"""Tests that compare the means of groups of runs: the difference of two groups, and the order of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from ganbench.analysis.settings import BOOTSTRAP_SEED
from ganbench.analysis.statistics import CONFIDENCE, bootstrap_interval
from ganbench.claims.test_results import RunGroup, TestStatistics, Verdict, condition
from ganbench.core.formatting import format_number, plural
from ganbench.study.claim_tests import Difference

# The fewest values of a group whose mean is compared. With fewer values a percentile bootstrap interval is too narrow:
# it covers less than its nominal 95 %.
MIN_RUNS = 10


@dataclass(frozen=True)
class MeanDifference:
    """The mean of one group minus the mean of another, with its interval; NaN where they cannot be compared."""

    text: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    lowest: str = ""  # the run that lowers the difference most
    highest: str = ""  # the run that raises the difference most


def _mean_difference(first: RunGroup, second: RunGroup) -> MeanDifference:
    """Subtract the mean of the second group from the mean of the first, with a percentile bootstrap interval.

    Runs are paired by seed where both groups have the same seeds, each seed once. The effect of a seed on both runs of
    a pair then cancels.
    """
    name = f"mean ({first.name}) minus mean ({second.name})"
    for group in (first, second):
        lost = int((~np.isfinite(group.values)).sum())
        if lost:
            return MeanDifference(
                f"{name}: {lost} of {plural(len(group.values), 'run')} of ({group.name}) without a finite number"
            )
        if len(group.values) < MIN_RUNS:
            few = f"{plural(len(group.values), 'run')} of ({group.name})"
            return MeanDifference(f"{name}: {few}, and an interval needs {MIN_RUNS} to keep its promise")
    # Every interval has its own generator, so that the bounds of a claim do not depend on the claims before it.
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    values, ids = first.values, first.runs.index
    if _paired(first.runs["seed"], second.runs["seed"]):
        orders = [np.argsort(group.runs["seed"].to_numpy(), kind="stable") for group in (first, second)]
        values, ids = first.values[orders[0]] - second.values[orders[1]], ids[orders[0]]
        value = float(values.mean())
        low, high = bootstrap_interval(values, np.mean, generator)
        how = f"{plural(len(values), 'pair')} of equal seed"
    else:
        value = float(first.values.mean() - second.values.mean())
        low, high = _two_sample_interval(first.values, second.values, generator)
        how = f"{len(first.values):,} and {plural(len(second.values), 'run')}"
    text = f"{name}: {format_number(value)}, 95% interval {format_number(low)} to {format_number(high)} ({how})"
    return MeanDifference(text, value, low, high, ids[np.argmin(values)], ids[np.argmax(values)])


def _paired(first: pd.Series, second: pd.Series) -> bool:
    return first.is_unique and second.is_unique and set(first) == set(second)


def _two_sample_interval(first: np.ndarray, second: np.ndarray, generator: np.random.Generator) -> tuple[float, float]:
    """Percentile bootstrap interval of the difference of two independent samples' means.

    Source: B. Efron (1979), "Bootstrap methods: another look at the jackknife", Annals of Statistics 7.

    Args:
        first, second: The finite values of the samples, shapes (n,) and (m,).
        generator: The source of the resamples.

    Returns:
        The lower and the upper bound.
    """
    result = stats.bootstrap(
        (first, second),
        lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        n_resamples=2000,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=True,
        rng=generator,
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def difference(test: Difference, first: RunGroup, second: RunGroup) -> TestStatistics:
    """Decide whether the difference of two means lies on the required side of the limit.

    Args:
        test: The test, which holds the limit and its side.
        first: The runs whose mean is the minuend.
        second: The runs whose mean is subtracted.

    Returns:
        The verdict, with the difference of means and its interval.
    """
    estimate = _mean_difference(first, second)
    larger = test.below is None
    limit = (test.above if larger else test.below).value({})
    verdict: Verdict = "undecided"
    if estimate.low > limit or estimate.high < limit:
        verdict = "confirmed" if (estimate.low > limit) == larger else "refuted"
    worst = estimate.lowest if larger else estimate.highest
    text = f"{estimate.text}; asked: {condition(test)}"
    return TestStatistics(
        verdict, text, _count_missing(first, second), estimate.value, estimate.low, estimate.high, worst
    )


def ordering(groups: Sequence[RunGroup]) -> TestStatistics:
    """Decide whether the means of several groups increase in the order of the groups.

    Args:
        groups: Two groups or more, the smallest expected mean first.

    Returns:
        The verdict, with the step between neighbouring groups whose interval has the least lower bound.
    """
    estimates = [_mean_difference(later, earlier) for earlier, later in pairwise(groups)]
    if any(estimate.high < 0 for estimate in estimates):
        verdict: Verdict = "refuted"
    else:
        verdict = "confirmed" if all(estimate.low > 0 for estimate in estimates) else "undecided"
    weakest = min(estimates, key=lambda estimate: (math.isnan(estimate.low), estimate.low))
    text = "; ".join(estimate.text for estimate in estimates) + "; asked: all above 0"
    return TestStatistics(
        verdict, text, _count_missing(*groups), weakest.value, weakest.low, weakest.high, weakest.lowest
    )


def _count_missing(*groups: RunGroup) -> int:
    return sum(int((~np.isfinite(group.values)).sum()) for group in groups)
