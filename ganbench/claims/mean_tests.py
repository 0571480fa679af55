"""Tests that compare the means of groups of runs: the difference of two groups, and the order of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from ganbench.analysis.statistics.means import (
    MeanDifference,
    independent_mean_difference,
    paired_mean_difference,
)
from ganbench.analysis.statistics.multiplicity import bonferroni
from ganbench.analysis.statistics.sample_sizes import POWER, at_the_limit, enough, runs_for_mean
from ganbench.claims.test_results import Effort, RunGroup, TestStatistics, useless
from ganbench.core.formatting import format_number, plural
from ganbench.study.claim_tests import Difference, MeanTest, Ordering

# The fewest values of a group whose mean is compared. From there on intervals hold the truth in about 90% of studies or
# more, even where every fifth run of one group alone is of another kind; with five values, in 74% of such studies.
MIN_RUNS = 10


@dataclass(frozen=True)
class _Comparison:
    """The means of two groups of runs compared, or the reason why they cannot be."""

    text: str
    value: float = math.nan
    difference: MeanDifference | None = None
    lowest: str = ""  # the run that lowers the difference most
    highest: str = ""  # the run that raises the difference most
    least: int = 0  # number of runs of the smaller group

    @property
    def interval(self) -> tuple[float, float]:
        return (math.nan, math.nan) if self.difference is None else self.difference.interval()

    def p_values(self, limit: float) -> tuple[float, float]:
        """The p-values, in both directions, of a difference above the limit and of one below it."""
        if self.difference is None:
            return 1.0, 1.0
        found = self.difference.p_value(limit)
        return (found, 1.0) if self.value > limit else (1.0, found)

    def effort(self, limit: float, level: float) -> str:
        """How many runs would decide on which side of the limit the difference lies, or why no number would; empty
        where the means cannot be compared, of which `text` has the reason."""
        if self.difference is None:
            return ""
        if self.value == limit:
            return at_the_limit("difference")
        paired = self.difference.pairs > 0
        runs = runs_for_mean(self.value - limit, self.difference.std, paired=paired, level=level)
        words = enough(runs, self.least, "pairs" if paired else "runs of each")
        return f"{words} would decide it, if means and spreads are as seen"


def _compare(test: MeanTest, first: RunGroup, second: RunGroup) -> _Comparison:
    """Subtract the mean of the second group from the mean of the first.

    Runs are paired by seed where both groups have the same seeds, each seed once. The effect of a seed on both runs of
    a pair then cancels. Where no run of either group had learned by its end, a metric of quality has none to compare:
    examples of untrained networks are alike, whatever the networks were to be good for.
    """
    name = f"mean ({first.name}) minus mean ({second.name})"
    for group in (first, second):
        lost = int((~np.isfinite(group.values)).sum())
        if lost:
            return _Comparison(
                f"{name}: {lost} of {plural(len(group.values), 'run')} of ({group.name}) without a finite number"
            )
    for group in (first, second):
        if len(group.values) < MIN_RUNS:
            value = float(first.values.mean() - second.values.mean())
            few = f"{plural(len(group.values), 'run')} of ({group.name}), and an interval needs {MIN_RUNS}"
            text = f"{name}: {format_number(value)}, without an interval: {few} to keep its promise"
            return _Comparison("; ".join(filter(None, (text, useless(first, second)))), value)
    if first.quantities.of_quality(test.quantity) and first.nothing_learned and second.nothing_learned:
        value = float(first.values.mean() - second.values.mean())
        none = "no run of either group had learned by its end, and untrained networks are alike in quality"
        return _Comparison(f"{name}: {format_number(value)}, which decides nothing: {none}", value)
    values, ids = first.values, first.runs.index
    if _paired(first.runs["seed"], second.runs["seed"]):
        orders = [np.argsort(group.runs["seed"].to_numpy(), kind="stable") for group in (first, second)]
        found = paired_mean_difference(first.values[orders[0]], second.values[orders[1]])
        values, ids = first.values[orders[0]] - second.values[orders[1]], ids[orders[0]]
        how = f"{plural(found.pairs, 'pair')} of equal seed"
    else:
        found = independent_mean_difference(first.values, second.values)
        how = f"{len(first.values):,} and {plural(len(second.values), 'run')}"
    low, high = found.interval()
    text = f"{name}: {format_number(found.value)}, 95% interval {format_number(low)} to {format_number(high)}"
    text += f" ({'; '.join(filter(None, (how, useless(first, second))))})"
    least = min(len(first.values), len(second.values))
    return _Comparison(text, found.value, found, ids[np.argmin(values)], ids[np.argmax(values)], least)


def _paired(first: pd.Series, second: pd.Series) -> bool:
    """Whether two groups of runs, by their seeds, are compared as pairs: both have the same ones, each once."""
    return first.is_unique and second.is_unique and set(first) == set(second)


def difference(test: Difference, first: RunGroup, second: RunGroup) -> TestStatistics:
    """Test whether the difference of two means lies on the required side of the limit.

    Args:
        test: the test, which holds the limit and its side.
        first: the runs whose mean is the minuend.
        second: the runs whose mean is subtracted.

    Returns:
        What the test says if its p-value is small enough, with the difference of means and its interval.
    """
    found = _compare(test, first, second)
    larger = test.below is None
    above, below = found.p_values(test.limit)
    low, high = found.interval
    return TestStatistics(
        verdict="confirmed" if (above < below) == larger else "refuted",
        text=found.text,
        missing=_count_missing(first, second),
        p_value=min(above, below),
        value=found.value,
        low=low,
        high=high,
        worst=found.lowest if larger else found.highest,
        effort=lambda level: found.effort(test.limit, level),
    )


def ordering(test: Ordering, *groups: RunGroup) -> TestStatistics:
    """Test whether the means of several groups increase in the order of the groups.

    All steps must go up, so that the p-value of an increase is the largest one of a step up. One step down refutes it,
    so that the p-value of that is the smallest one of a step down, times the number of steps.

    Args:
        test: the test.
        groups: two groups or more, the smallest expected mean first.

    Returns:
        What the test says if its p-value is small enough, with the step whose interval has the least lower bound.
    """
    steps = [_compare(test, later, earlier) for earlier, later in pairwise(groups)]
    up, down = zip(*(step.p_values(test.limit) for step in steps), strict=True)
    increase, decrease = max(up), bonferroni(min(down), len(steps))
    weakest = min(steps, key=lambda step: (math.isnan(step.interval[0]), step.interval[0]))
    low, high = weakest.interval
    return TestStatistics(
        verdict="confirmed" if increase < decrease else "refuted",
        text="; ".join(step.text for step in steps),
        missing=_count_missing(*groups),
        p_value=min(increase, decrease),
        value=weakest.value,
        low=low,
        high=high,
        worst=weakest.lowest,
        effort=lambda level: weakest.effort(test.limit, level),
    )


def plan_means(test: MeanTest, seeds: Sequence[pd.Series], level: float) -> Effort:
    """Count the runs with which means would be told apart, with 80% power, if their difference is as stated.

    An ordering is confirmed if every step is: each of its n steps is given the power 1 - 0.2 / n.

    Args:
        test: the test.
        seeds: the seeds of the runs of every group that it selects.
        level: the level of the test, in both directions.

    Returns:
        The runs present and needed.
    """
    pairs = all(_paired(one, other) for one, other in pairwise(seeds))
    present, unit, effect = min(map(len, seeds)), "pairs" if pairs else "runs of each", "a difference"
    if test.expected is None:
        return Effort(present, unit, effect)
    power = 1 - (1 - POWER) / (len(seeds) - 1)
    needed = runs_for_mean(test.expected - test.limit, test.expected_std, paired=pairs, level=level, power=power)
    return Effort(present, unit, effect, test.expected, needed and max(needed, MIN_RUNS))


def _count_missing(*groups: RunGroup) -> int:
    return sum(int((~np.isfinite(group.values)).sum()) for group in groups)
