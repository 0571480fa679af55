"""Whether two rates differ: exact tests, and intervals of the difference.

Overlapping intervals of two rates are no test of their difference: the rates 1/20 and 7/20 differ by Barnard's test
(p = 0.02), though their Wilson intervals overlap. Runs that come in pairs, such as those of one seed, are compared pair
by pair, since a setting in which every run fails tells nothing about what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from scipy import stats

from ganbench.analysis.statistics.rates import CONFIDENCE, wilson


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


def independent_difference(
    first: tuple[int, int], second: tuple[int, int], *, confidence: float = CONFIDENCE
) -> RateDifference:
    """Compare the rates of two groups of independent runs.

    The test is Barnard's, with the pooled score statistic: exact, and more powerful than Fisher's, since only the
    numbers of runs are fixed and not the number of failures. The interval is Newcombe's: the distances of each rate to
    the bounds of its Wilson interval add up like standard errors.

    Sources: G. A. Barnard (1945), "A new test for 2 x 2 tables", Nature 156; R. G. Newcombe (1998), "Interval
    estimation for the difference between independent proportions", Statistics in Medicine 17, method 10.

    Args:
        first, second: The count of the event, and the number of runs, at least one.
        confidence: The coverage of the interval, in (0, 1).
    """
    rates = [wilson(*group, confidence=confidence) for group in (first, second)]
    one, two = rates
    value = one.value - two.value
    low = value - sqrt((one.value - one.lower) ** 2 + (two.upper - two.value) ** 2)
    high = value + sqrt((one.upper - one.value) ** 2 + (two.value - two.lower) ** 2)
    p_value = 1.0
    if one.value != two.value:
        table = [[one.count, two.count], [one.total - one.count, two.total - two.count]]
        p_value = min(1.0, float(stats.barnard_exact(table, pooled=True).pvalue))
    return RateDifference(value, *_extended(low, high, p_value, confidence), p_value)


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
        first_only: The number of pairs in which the event happened in the first run alone.
        second_only: The number of pairs in which it happened in the second run alone.
        pairs: The number of all pairs, at least one.
        confidence: The coverage of the interval, in (0, 1).

    Raises:
        ValueError: There are fewer pairs than those that differ, or none.
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


def _extended(low: float, high: float, p_value: float, confidence: float) -> tuple[float, float]:
    """The bounds of an interval, extended to 0 where the test does not reject it."""
    return (min(low, 0.0), max(high, 0.0)) if p_value > 1 - confidence else (low, high)
