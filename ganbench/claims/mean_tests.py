"""Tests that compare the means of groups of runs: the difference of two groups, and the order of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from ganbench.analysis.statistics.means import (
    MeanDifference,
    independent_mean_difference,
    paired_mean_difference,
)
from ganbench.analysis.statistics.multiplicity import bonferroni
from ganbench.analysis.statistics.rates import rate_test
from ganbench.analysis.statistics.sample_sizes import POWER, at_the_limit, enough, runs_for_mean
from ganbench.claims.test_results import Effort, RunGroup, TestStatistics, useless
from ganbench.core.formatting import format_number, plural
from ganbench.study.claim_tests import Difference, MeanTest, Ordering

# The fewest values of a group whose mean is compared. From there on intervals hold the truth in about 90% of studies or
# more, even where every fifth run of one group alone is of another kind; with five values, in 74% of such studies.
MIN_RUNS = 10


@dataclass(frozen=True)
class _Comparison:
    """The means of two groups of runs compared, or their ranks, or the reason why neither can be."""

    text: str
    value: float = math.nan
    difference: MeanDifference | None = None
    ranks: tuple[float, float] | None = None  # p-values of a difference above the limit and below it, without means
    lowest: str = ""  # the run that lowers the difference most
    highest: str = ""  # the run that raises the difference most
    least: int = 0  # number of values of the smaller group
    unit: str = ""  # what these are, in the plural

    @property
    def interval(self) -> tuple[float, float]:
        return (math.nan, math.nan) if self.difference is None else self.difference.interval()

    def p_values(self, limit: float) -> tuple[float, float]:
        """The p-values, in both directions, of a difference above the limit and of one below it."""
        if self.difference is None:
            return self.ranks or (1.0, 1.0)
        found = self.difference.p_value(limit)
        return (found, 1.0) if self.value > limit else (1.0, found)

    def effort(self, limit: float, level: float) -> str:
        """How many runs would decide on which side of the limit the difference lies, or why no number would; empty
        where the means cannot be compared, of which `text` has the reason."""
        if self.ranks:
            return "how many runs would decide it is not known while runs lack a finite number"
        if self.difference is None:
            return ""
        if self.value == limit:
            return at_the_limit("difference")
        runs = runs_for_mean(self.value - limit, self.difference.std, paired=self.difference.pairs > 0, level=level)
        return f"{enough(runs, self.least, self.unit)} would decide it, if means and spreads are as seen"


def _compare(test: MeanTest, first: RunGroup, second: RunGroup) -> _Comparison:
    """Subtract the mean of the second group from the mean of the first.

    A seed is one value, the mean of its runs where it has several, since these share random streams. Seeds are paired
    where both groups have the same ones: the effect of a seed on both then cancels. Where no run of either group had
    learned by its end, a metric of quality has none to compare: examples of untrained networks are alike, whatever the
    networks were to be good for. Where a value is not finite there is no mean, and ranks are compared: see `_by_ranks`.
    """
    name = f"mean ({first.name}) minus mean ({second.name})"
    one, two = _of_seeds(first), _of_seeds(second)
    lost = [
        f"{count} of {plural(len(group.values), 'run')} of ({group.name}) without a finite number"
        for group in (first, second)
        if (count := _count_missing(group))
    ]
    value = math.nan if lost else float(one.mean() - two.mean())
    text = f"{name}: {'; '.join(lost) or format_number(value)}"
    for group, values in ((first, one), (second, two)):
        if len(values) < MIN_RUNS:
            few = f"{plural(len(values), 'run' if group.runs['seed'].is_unique else 'seed')} of ({group.name})"
            text += f", without an interval: {few}, and an interval needs {MIN_RUNS} to keep its promise"
            return _Comparison("; ".join(filter(None, (text, useless(first, second)))), value)
    if first.quantities.of_quality(test.quantity) and first.nothing_learned and second.nothing_learned:
        none = "no run of either group had learned by its end, and untrained networks are alike in quality"
        return _Comparison(f"{text}, which decides nothing: {none}", value)
    single = first.runs["seed"].is_unique and second.runs["seed"].is_unique
    paired = one.index.equals(two.index)
    counted = f"{plural(len(one), 'pair')} of equal seed" if paired else ""
    counted = counted or f"{len(one):,} and {plural(len(two), 'run' if single else 'seed')}"
    counted += "" if single else f", of {len(first.values):,} and {plural(len(second.values), 'run')}"
    clauses = "; ".join(filter(None, (counted, useless(first, second))))
    if lost:
        found = _by_ranks(one.to_numpy(), two.to_numpy(), test.limit, paired=paired)
        test_name = "the sign test" if paired else "Mann and Whitney's test"
        return _Comparison(f"{text}; compared by {test_name}, these counting either way ({clauses})", ranks=found)
    compare = paired_mean_difference if paired else independent_mean_difference
    found = compare(one.to_numpy(), two.to_numpy())
    low, high = found.interval()
    text += f", 95% interval {format_number(low)} to {format_number(high)} ({clauses})"
    values = one - two if paired else one
    runs = first.runs["seed"].drop_duplicates()
    lowest, highest = (runs.index[runs == seed][0] for seed in (values.idxmin(), values.idxmax()))
    unit = "pairs" if paired else "runs of each" if single else "seeds of each"
    return _Comparison(text, found.value, found, None, lowest, highest, min(len(one), len(two)), unit)


def _of_seeds(group: RunGroup) -> pd.Series:
    """The mean value of the runs of each seed, ordered and indexed by seed; NaN or infinite if one of these is."""
    values = pd.Series(group.values, index=group.runs["seed"].to_numpy())
    return values.groupby(level=0).agg(lambda runs: runs.mean(skipna=False))


def _by_ranks(first: np.ndarray, second: np.ndarray, limit: float, *, paired: bool) -> tuple[float, float]:
    """Test on which side of a limit values of one group less those of another lie, where some are not finite.

    Pairs are compared by the sign test, groups without partners by Mann and Whitney's. Infinity is a number that
    exceeds all others. A missing number counts as is worse for either direction, and so does a pair on the limit: the
    promise is kept whatever the number would have been. Beside twelve pairs of which eleven agree, one of them missing
    leaves p = 0.006; of normal values, a sign test needs about 1.6 times as many pairs as a test of means.

    Sources: W. J. Conover (1999), "Practical nonparametric statistics", section 3.4; H. B. Mann and D. R. Whitney
    (1947), "On a test of whether one of two random variables is stochastically larger than the other", Annals of
    Mathematical Statistics 18.

    Args:
        first, second: the values, NaN where there is none; of pairs, in one order.
        limit: the number to compare differences with.
        paired: whether values come in pairs.

    Returns:
        The p-values, in both directions, of differences above the limit and below it.
    """
    if paired:
        with np.errstate(invalid="ignore"):  # infinity less infinity
            differences = first - second
        above, below = (int(each.sum()) for each in (differences > limit, differences < limit))
        return tuple(rate_test(count, len(differences), 0.5)[0] for count in (above, below))
    p_values = []
    for worst, side in ((-np.inf, "greater"), (np.inf, "less")):
        one, two = np.where(np.isnan(first), worst, first - limit), np.where(np.isnan(second), -worst, second)
        found = float(stats.mannwhitneyu(one, two, alternative=side).pvalue)
        p_values.append(1.0 if math.isnan(found) else min(1.0, 2 * found))  # NaN if all values are equal
    return tuple(p_values)


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
        The runs present and needed: their seeds where one has several.
    """
    pairs = all(set(one) == set(other) for one, other in pairwise(seeds))
    unit = "pairs" if pairs else "runs of each" if all(each.is_unique for each in seeds) else "seeds of each"
    present, effect = min(each.nunique() for each in seeds), "a difference"
    if test.expected is None:
        return Effort(present, unit, effect)
    power = 1 - (1 - POWER) / (len(seeds) - 1)
    needed = runs_for_mean(test.expected - test.limit, test.expected_std, paired=pairs, level=level, power=power)
    return Effort(present, unit, effect, test.expected, needed and max(needed, MIN_RUNS))


def _count_missing(*groups: RunGroup) -> int:
    return sum(int((~np.isfinite(group.values)).sum()) for group in groups)
