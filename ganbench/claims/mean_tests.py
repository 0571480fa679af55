"""Tests that compare groups of runs by their means: a difference, and an order of several."""

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
from ganbench.claims.test_results import Found, Group, Verdict, asked
from ganbench.core.formatting import format_number, plural
from ganbench.study.claims import Difference

# Values below which a group's mean is compared with nothing: a percentile bootstrap of fewer is too narrow, and would
# decide more than its 95 % promise.
FEWEST = 10


@dataclass(frozen=True)
class Gap:
    """The mean of one group minus that of another, with its interval; NaN where they cannot be compared."""

    text: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    lowest: str = ""  # the run that pulls the difference down most ...
    highest: str = ""  # ... and up


def _gap(first: Group, second: Group) -> Gap:
    """Mean of the first group minus mean of the second, with its percentile bootstrap interval.

    Runs are paired where both groups have the same seeds, each once: what a seed does to both then cancels.
    """
    name = f"mean ({first.name}) minus mean ({second.name})"
    for group in (first, second):
        lost = int((~np.isfinite(group.values)).sum())
        if lost:
            return Gap(
                f"{name}: {lost} of {plural(len(group.values), 'run')} of ({group.name}) without a finite number"
            )
        if len(group.values) < FEWEST:
            few = f"{plural(len(group.values), 'run')} of ({group.name})"
            return Gap(f"{name}: {few}, and an interval needs {FEWEST} to keep its promise")
    # Every interval has a generator of its own, so that no claim's bounds depend on the claims before it.
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
    return Gap(text, value, low, high, ids[np.argmin(values)], ids[np.argmax(values)])


def _paired(first: pd.Series, second: pd.Series) -> bool:
    return first.is_unique and second.is_unique and set(first) == set(second)


def _two_sample_interval(first: np.ndarray, second: np.ndarray, generator: np.random.Generator) -> tuple[float, float]:
    """Percentile bootstrap interval of the difference of two independent samples' means.

    Source: B. Efron (1979), "Bootstrap methods: another look at the jackknife", Annals of Statistics 7.

    Args:
        first, second: finite numbers, shapes (n,) and (m,).
        generator: source of the resamples.
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


def difference(test: Difference, first: Group, second: Group) -> Found:
    """Whether the difference of two means lies on the side asked for."""
    gap = _gap(first, second)
    larger = test.below is None
    limit = (test.above if larger else test.below).value({})
    verdict: Verdict = "undecided"
    if gap.low > limit or gap.high < limit:
        verdict = "confirmed" if (gap.low > limit) == larger else "refuted"
    worst = gap.lowest if larger else gap.highest
    text = f"{gap.text}; asked: {asked(test)}"
    return Found(verdict, text, _without(first, second), gap.value, gap.low, gap.high, worst)


def ordering(groups: Sequence[Group]) -> Found:
    """Whether the means of several groups rise in their order."""
    gaps = [_gap(later, earlier) for earlier, later in pairwise(groups)]
    if any(gap.high < 0 for gap in gaps):
        verdict: Verdict = "refuted"
    else:
        verdict = "confirmed" if all(gap.low > 0 for gap in gaps) else "undecided"
    weakest = min(gaps, key=lambda gap: (math.isnan(gap.low), gap.low))
    text = "; ".join(gap.text for gap in gaps) + "; asked: all above 0"
    return Found(verdict, text, _without(*groups), weakest.value, weakest.low, weakest.high, weakest.lowest)


def _without(*groups: Group) -> int:
    return sum(int((~np.isfinite(group.values)).sum()) for group in groups)
