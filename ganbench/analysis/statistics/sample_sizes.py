"""How many runs would decide a comparison that the runs of a study did not, if what they showed is how it is.

Every function gives the smallest number of runs with which the test that `rates`, `rate_differences` or `means` makes
finds the difference with the probability `POWER`. What a few runs show is itself uncertain, so the number tells the
order of the effort: ten more seeds, or a thousand.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, comb, log, sqrt

import numpy as np
from scipy import stats

from ganbench.analysis.statistics.multiplicity import LEVEL

POWER = 0.8
MAX_RUNS = 10_000  # runs that nobody trains: larger numbers are not sought


def runs_for_rate(share: float, limit: float, *, level: float = LEVEL, power: float = POWER) -> int | None:
    """Number of runs with which the exact binomial test tells a rate from a limit.

    The power of an exact test rises in teeth of a saw; the number is the one from which on it stays above `power`.

    Args:
        share: the true rate.
        limit: the rate to compare with.
        level: the level of the test, in both directions.
        power: the probability with which the difference is to be found.

    Returns:
        The number of runs; None where it exceeds `MAX_RUNS`, or where rate and limit are equal.
    """
    if share == limit:
        return None
    if share < limit:
        share, limit = 1 - share, 1 - limit
    for most in (100, 1000, MAX_RUNS):
        runs = np.arange(1, most + 1)
        critical = stats.binom.isf(level / 2, runs, limit) + 1  # the smallest count that is rejected
        short = runs[stats.binom.sf(critical - 1, runs, share) < power]
        least = int(short.max()) + 1 if len(short) else 1
        if least <= most / 2 or least <= most == MAX_RUNS:  # no tooth is longer than half of the numbers looked at
            return least
    return None


def runs_for_improvement(
    probability: float, settings: int, *, level: float = LEVEL, power: float = POWER
) -> int | None:
    """Number of runs of each method at every setting with which a permutation of ranks tells two methods apart.

    This is Noether's number for the test of Wilcoxon, Mann and Whitney, (z + z')^2 / (6 (P - 1/2)^2), shared among the
    settings as if a seed's luck were another at each, and at least as many as give a p-value below the level.

    Source: G. E. Noether (1987), "Sample size determination for some common nonparametric tests", JASA 82.

    Args:
        probability: the true probability P that a run of one method scores better than one of the other.
        settings: number of settings at which they are compared.
        level, power: as for `runs_for_rate`.

    Returns:
        The number of runs; None where it exceeds `MAX_RUNS`, or where the probability is 1/2.
    """
    if probability == 0.5:
        return None
    reach = stats.norm.isf(level / 2) + stats.norm.ppf(power)
    runs = ceil(reach**2 / (6 * (probability - 0.5) ** 2 * settings))
    while runs <= MAX_RUNS and 2 / comb(2 * runs, runs) > level:
        runs += 1
    return runs if runs <= MAX_RUNS else None


def runs_for_two_rates(first: float, second: float, *, level: float = LEVEL, power: float = POWER) -> int | None:
    """Number of runs of either group with which Barnard's test tells two rates of independent runs apart.

    This is the number of the score test with pooled variance, whose exact form Barnard's test is: with 7 runs the exact
    test finds the difference with a probability of 0.7, with 20 of about 0.8.

    Source: J. L. Fleiss, B. Levin and M. C. Paik (2003), "Statistical methods for rates and proportions", section 4.2.

    Args:
        first, second: the true rates.
        level, power: as for `runs_for_rate`.

    Returns:
        The number of runs of either group; None where it exceeds `MAX_RUNS`, or where the rates are equal.
    """
    if first == second:
        return None
    middle = (first + second) / 2
    pooled = stats.norm.isf(level / 2) * sqrt(2 * middle * (1 - middle))
    apart = stats.norm.isf(1 - power) * sqrt(first * (1 - first) + second * (1 - second))
    # With fewer runs, not even a group in which all fail is told from one in which none does: their p-value is 2 / 4^n.
    possible = ceil(log(2 / level, 4))
    least = max(possible, ceil(((pooled + apart) / (first - second)) ** 2))
    return least if least <= MAX_RUNS else None


def pairs_for_two_rates(
    first_only: float, second_only: float, *, level: float = LEVEL, power: float = POWER
) -> int | None:
    """Number of pairs of runs with which McNemar's exact test tells two rates apart.

    The power is summed over the number of pairs that differ, and over the directions in which they do.

    Args:
        first_only: the true share of pairs in which the event happens in the first run alone.
        second_only: the same of the second run.
        level, power: as for `runs_for_rate`.

    Returns:
        The number of pairs; None where it exceeds `MAX_RUNS`, or where the shares are equal.
    """
    if first_only == second_only:
        return None
    differing = min(1.0, first_only + second_only)
    share = max(first_only, second_only) / (first_only + second_only)

    def reached(pairs: int) -> bool:
        middle, reach = pairs * differing, 8 * sqrt(pairs * differing * (1 - differing))  # of all but 1e-14
        counts = np.arange(max(1, int(middle - reach)), min(pairs, int(middle + reach) + 1) + 1)
        most = stats.binom.isf(level / 2, counts, 0.5) + 1
        found = stats.binom.sf(most - 1, counts, share)
        return float(stats.binom.pmf(counts, pairs, differing) @ found) >= power

    return _smallest(reached, 2)


def runs_for_mean(
    difference: float, std: float, *, paired: bool, level: float = LEVEL, power: float = POWER
) -> int | None:
    """Number of pairs, or of runs of either group, with which a t test tells a difference of means from a limit.

    The power is that of the noncentral t distribution. Of independent groups the variances are taken as equal. Nor does
    `MeanDifference.p_value` reach the level with fewer runs than a permutation test.

    Source: J. Cohen (1988), "Statistical power analysis for the behavioral sciences", chapter 2.

    Args:
        difference: the true difference of the means, less the limit.
        std: `MeanDifference.std`: the standard deviation of the difference of two runs.
        paired: whether runs come in pairs.
        level, power: as for `runs_for_rate`.

    Returns:
        The number of pairs, or of runs of either group; None beyond `MAX_RUNS`, or where there is no difference.
    """
    if difference == 0:
        return None

    def reached(runs: int) -> bool:
        df = runs - 1 if paired else 2 * (runs - 1)
        min_p_value = 2.0 ** (1 - runs) if paired else 2 / comb(2 * runs, runs)
        if min_p_value > level or std == 0:
            return min_p_value <= level
        shift = abs(difference) / std * sqrt(runs)
        return float(stats.nct.sf(stats.t.isf(level / 2, df), df, shift)) >= power

    return _smallest(reached, 2)


def enough(runs: int | None, present: int, what: str) -> str:
    """The number of runs that would do, in words: "about 40 pairs (30 more)", or "more than 10,000 pairs".

    Args:
        runs: the number; None where it exceeds `MAX_RUNS`.
        present: the number that there are already.
        what: what is counted, in the plural.
    """
    if runs is None:
        return f"more than {MAX_RUNS:,} {what}"
    return f"about {runs:,} {what}" + (f" ({runs - present:,} more)" if runs > present else "")


def at_the_limit(what: str) -> str:
    """Why no number of runs would do: what was seen, a share or a difference, is the limit itself."""
    return f"no number of runs would decide it, if the {what} is as seen: it is the limit"


def _smallest(reached: Callable[[int], bool], least: int) -> int | None:
    """The smallest number for which a condition holds, where it holds for all larger ones too."""
    low, high = least - 1, least
    while not reached(high):
        if high >= MAX_RUNS:
            return None
        low, high = high, min(2 * high, MAX_RUNS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
