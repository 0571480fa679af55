"""Whether two rates differ: exact tests, and intervals of the difference.

Overlapping intervals of two rates are no test of their difference: the rates 1/20 and 7/20 differ by Barnard's test
(p = 0.02), though their Wilson intervals overlap. Runs that come in pairs, such as those of one seed, are compared pair
by pair, since a setting in which every run fails tells nothing about what is compared. Where partners are missing, and
one group has more of its runs at the settings that fail, runs are compared within settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, isqrt, pi, sqrt

import numpy as np
from scipy import stats

from ganbench.analysis.statistics.rates import CONFIDENCE, wilson, wilson_bounds

Count = tuple[int, int]  # of the runs with an event, and of all runs
ATOL = 1e-9  # difference of counts that is none

# The tests by name: of pairs, of independent runs, and of these within strata.
PAIRED, INDEPENDENT, STRATIFIED = "McNemar's exact test", "Barnard's test", "Mantel and Haenszel's exact test"


@dataclass(frozen=True)
class RateDifference:
    """The first rate minus the second, with its interval and the p-value of the hypothesis that both are equal.

    The intervals are approximations, and the tests are exact. Where a test does not tell the rates apart, the interval
    is extended to 0, so that it never says more than the test.
    """

    value: float
    low: float
    high: float
    p_value: float  # in both directions
    pairs: int = 0  # number of pairs; 0 where the runs are independent
    first_only: int = 0  # pairs in which the event happened in the first run alone
    second_only: int = 0  # pairs in which the event happened in the second run alone
    strata: int = 0  # number of strata within which independent runs were compared; 0 where they were not
    rates: tuple[float, ...] = ()  # whose difference it is, of independent runs; empty for pairs

    @property
    def test(self) -> str:
        """The name of the test."""
        return PAIRED if self.pairs else STRATIFIED if self.strata else INDEPENDENT


def independent_difference(first: Count, second: Count, *, confidence: float = CONFIDENCE) -> RateDifference:
    """Compare the rates of two groups of independent runs.

    The test is Barnard's, with the pooled score statistic: exact, and more powerful than Fisher's, since only the
    numbers of runs are fixed and not the number of failures. The interval is Newcombe's: the distances of each rate to
    the bounds of its Wilson interval add up like standard errors.

    Sources: G. A. Barnard (1945), "A new test for 2 x 2 tables", Nature 156; S. Suissa and J. J. Shuster (1985), "Exact
    unconditional sample sizes for the 2 x 2 binomial trial", Journal of the Royal Statistical Society A 148, for the
    statistic; R. G. Newcombe (1998), "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17, method 10.

    Args:
        first, second: the count of the event, and the number of runs, at least one.
        confidence: the coverage of the interval, in (0, 1).
    """
    rates = [wilson(*group, confidence=confidence) for group in (first, second)]
    one, two = rates
    value, p_value = one.value - two.value, 1.0
    low, high = _newcombe(*((rate.value, rate.lower, rate.upper) for rate in rates))
    if one.value != two.value:
        p_value = _barnard(first, second)
    return RateDifference(value, *_extended(low, high, p_value, confidence), p_value, rates=(one.value, two.value))


def _barnard(first: Count, second: Count) -> float:
    """The p-value of Barnard's test of two rates that differ.

    With x of n and y of m runs and s = x + y, the square of the score statistic is (x m - y n)^2 / (s (n + m - s)),
    times a constant. The p-value is the largest probability, over the rate that both groups share, of a statistic at
    least as large. Tables tie often, mirrored ones always, so that statistics are compared as integers. SciPy 1.17
    compares them as rounded floating point numbers, loses tied tables, and with them part of the p-value.
    """
    (x, n), (y, m) = first, second
    runs, apart, spread = n + m, abs(x * m - y * n), (x + y) * (n + m - x - y)
    events = np.arange(1, runs)  # without any, or with all, the rates are equal
    # The smallest |x m - y n| of as many events that is far enough; x m - y n is x (n + m) - s n.
    far = np.array([1 + isqrt((apart**2 * s * (runs - s) - 1) // spread) for s in range(1, runs)])
    below, above = (events * n - far) // runs, -((-events * n - far) // runs)
    # Given the number of events, how they fall on the two groups depends on no rate.
    tails = stats.hypergeom.cdf(below, runs, events, n) + stats.hypergeom.sf(above - 1, runs, events, n)
    # The angle of a share, arcsin of its root, has about the same standard deviation at every rate, 1 / (2 sqrt(runs)).
    # A tenth of it between the angles, and a hundredth beside the best, is fine enough for a part in a thousand.
    low, high = 0.0, pi / 2
    for points in (1 + 2 * ceil(16 * sqrt(runs)), 33):
        angles = np.linspace(low, high, points)
        chances = stats.binom.pmf(events, runs, np.sin(angles[:, None]) ** 2) @ tails
        best = int(chances.argmax())
        low, high = angles[max(best - 1, 0)], angles[min(best + 1, points - 1)]
    return min(1.0, float(chances.max()))


def stratified_difference(strata: Sequence[tuple[Count, Count]], *, confidence: float = CONFIDENCE) -> RateDifference:
    """Compare the rates of two groups of independent runs within strata, such as the settings of both.

    Where one group has more of its runs at settings that fail, the rates over all runs differ even if those of every
    setting are equal. Here each rate is the mean of those of the strata, with Mantel and Haenszel's weights n m /
    (n + m) for n and m runs of the two groups: the strata count by how much they tell of the difference.

    The test is Mantel and Haenszel's in its exact form, conditional on the number of events in each stratum. The
    p-value is the share of all ways to deal the runs of each stratum anew to groups of the same sizes by which the
    difference is at least as far from 0. With one run of each group in every stratum it is McNemar's exact test.

    The interval is Newcombe's. A weighted rate with the weights v, of sum 1, varies about as a share among
    1 / sum(v^2 / n) runs, of which Wilson's interval is taken; mostly less where rates differ among strata, so that the
    interval is then wider than it has to be.

    Sources: N. Mantel and W. Haenszel (1959), "Statistical aspects of the analysis of data from retrospective studies
    of disease", Journal of the National Cancer Institute 22; S. Greenland and J. M. Robins (1985), "Estimation of a
    common effect parameter from sparse follow-up data", Biometrics 41, for the weights; R. G. Newcombe (1998), as for
    `independent_difference`.

    Args:
        strata: by stratum, the count of the event and the number of runs, at least one, of the first and of the second
            group.
        confidence: the coverage of the interval, in (0, 1).

    Raises:
        ValueError: there is no stratum, or one has no run of a group, or a count is not one of its runs.
    """
    if not strata or not all(0 <= count <= total and total for pair in strata for count, total in pair):
        raise ValueError(f"expected strata with runs of both groups, and counts of these, but got {list(strata)}")
    weights = [Fraction(n * m, n + m) for (_, n), (_, m) in strata]
    rates, bounds = [], []
    for group in zip(*strata, strict=True):
        shares = [weight / sum(weights) for weight in weights]
        rate = float(sum(share * Fraction(*each) for share, each in zip(shares, group, strict=True)))
        runs = float(1 / sum(share**2 / total for share, (_, total) in zip(shares, group, strict=True)))
        low, high = wilson_bounds(np.array([rate]), runs, confidence)
        rates.append(rate)
        bounds.append((rate, float(low[0]), float(high[0])))
    p_value = _dealt_anew(strata)
    low, high = _extended(*_newcombe(*bounds), p_value, confidence)
    return RateDifference(rates[0] - rates[1], low, high, p_value, strata=len(strata), rates=tuple(rates))


def _dealt_anew(strata: Sequence[tuple[Count, Count]]) -> float:
    """The probability that the first group has a number of events at least as far from its expectation, where the
    events of each stratum fall on any of its runs alike.

    That number less its expectation is the weighted difference of the rates, times the sum of the weights.
    """
    probabilities, least, expected = np.ones(1), 0, Fraction(0)
    for (first, n), (second, m) in strata:
        events = first + second
        possible = np.arange(max(0, events - m), min(events, n) + 1)
        probabilities = np.convolve(probabilities, stats.hypergeom.pmf(possible, n + m, events, n))
        least, expected = least + int(possible[0]), expected + Fraction(events * n, n + m)
    away = np.abs(np.arange(least, least + len(probabilities)) - float(expected))
    seen = abs(sum(first for (first, _), _ in strata) - float(expected))
    return min(1.0, float(probabilities[away >= seen - ATOL].sum()))


def paired_difference(
    first_only: int, second_only: int, pairs: int, *, confidence: float = CONFIDENCE
) -> RateDifference:
    """Compare the rates of two groups of runs that come in pairs.

    Pairs whose runs agree cancel. The test is McNemar's in its exact form, a sign test: where both runs of a pair are
    alike, a pair that differs does so in either direction with probability 1/2. The interval is a Wald interval with
    one pair more in each direction.

    Sources: Q. McNemar (1947), "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12; D. G. Bonett and R. M. Price (2012), "Adjusted Wald confidence interval for a
    difference of binomial proportions based on paired data", Journal of Educational and Behavioral Statistics 37.

    Args:
        first_only: the number of pairs in which the event happened in the first run alone.
        second_only: the number of pairs in which it happened in the second run alone.
        pairs: the number of all pairs, at least one.
        confidence: the coverage of the interval, in (0, 1).

    Raises:
        ValueError: there are fewer pairs than those that differ, or none.
    """
    if not 0 <= first_only + second_only <= pairs or min(first_only, second_only) < 0 or pairs < 1:
        raise ValueError(f"expected at least one pair, but got {first_only} and {second_only} of {pairs} that differ")
    differing = first_only + second_only
    p_value = float(stats.binomtest(first_only, differing).pvalue) if differing else 1.0
    one, two = (first_only + 1) / (pairs + 2), (second_only + 1) / (pairs + 2)
    z = float(stats.norm.ppf((1 + confidence) / 2))
    reach = z * sqrt((one + two - (one - two) ** 2) / (pairs + 2))
    low, high = max(-1.0, one - two - reach), min(1.0, one - two + reach)
    value = (first_only - second_only) / pairs
    low, high = _extended(low, high, p_value, confidence)
    return RateDifference(value, low, high, p_value, pairs, first_only, second_only)


def _newcombe(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float]:
    """Newcombe's bounds of the difference of two rates, each of them with its lower and upper bound."""
    (one, one_low, one_high), (two, two_low, two_high) = first, second
    low = one - two - sqrt((one - one_low) ** 2 + (two_high - two) ** 2)
    return low, one - two + sqrt((one_high - one) ** 2 + (two - two_low) ** 2)


def _extended(low: float, high: float, p_value: float, confidence: float) -> tuple[float, float]:
    """The bounds of an interval, extended to 0 where the test does not reject it."""
    return (min(low, 0.0), max(high, 0.0)) if p_value > 1 - confidence else (low, high)
