"""Rates of an event among runs, such as failures: intervals, and an exact test against a limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """The count of an event among observations, with an interval for the underlying rate."""

    count: int
    total: int
    lower: float
    upper: float
    unknown: int = 0  # observations for which the event is unknown; not in `count`

    @property
    def value(self) -> float:
        """Observed share in [0, 1]; NaN without observations, and where the event is unknown for any of them."""
        return self.count / self.total if self.total and not self.unknown else float("nan")


def wilson(count: int, total: int, *, unknown: int = 0, confidence: float = CONFIDENCE) -> Rate:
    """Wilson score interval of a binomial rate.

    The interval holds every rate p that a score test would not reject: |count/total - p| <= z sqrt(p (1 - p) / total),
    with z the normal quantile of (1 + confidence) / 2. Unlike the textbook interval p ± z se it stays inside [0, 1] and
    has a positive width at 0 and at `total` successes, which are common in small studies. It covers 95% on average over
    all rates, at 3 to 20 runs as at many; for single rates near 0 or 1 down to 83%. `exact_interval` never covers less
    than it says, and is wider. Two intervals do not test whether two rates differ: see `rate_differences`.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22.

    Args:
        count: the number of runs in which the event happened.
        total: the number of runs; without runs, the interval is [0, 1].
        unknown: the number of other runs for which the event is unknown. The lower bound counts them as runs without
            the event, and the upper bound as runs with it.
        confidence: the coverage of the interval, in (0, 1).

    Raises:
        ValueError: a number is negative, or count and unknown together exceed total.
    """
    _check_counts(count, total, unknown)
    if total == 0:
        return Rate(count=0, total=0, lower=0.0, upper=1.0)
    low, high = (
        stats.binomtest(each, total).proportion_ci(confidence_level=confidence, method="wilson")
        for each in (count, count + unknown)
    )
    return Rate(count=count, total=total, lower=float(low.low), upper=float(high.high), unknown=unknown)


def wilson_bounds(shares: np.ndarray, runs: float, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of Wilson's interval of shares that vary as those of a number of runs do, which need not be whole.

    Args:
        shares: the shares, shape (T,).
        runs: the number of runs.
        confidence: the coverage of each interval, in (0, 1).

    Returns:
        The lower and the upper bounds, shapes (T,).
    """
    z = float(stats.norm.ppf((1 + confidence) / 2))
    middle = (shares + z**2 / (2 * runs)) / (1 + z**2 / runs)
    reach = z / (1 + z**2 / runs) * np.sqrt(shares * (1 - shares) / runs + z**2 / (4 * runs**2))
    return np.maximum(0.0, middle - reach), np.minimum(1.0, middle + reach)


def exact_interval(count: int, total: int, *, unknown: int = 0, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper and Pearson's interval of a binomial rate: it covers at least its confidence, whatever the rate.

    It holds every rate that `rate_test` does not reject.

    Source: C. J. Clopper and E. S. Pearson (1934), "The use of confidence or fiducial limits", Biometrika 26.

    Args:
        count, total, unknown, confidence: as for `wilson`.

    Returns:
        The lower and the upper bound; 0 and 1 without runs.
    """
    _check_counts(count, total, unknown)
    if total == 0:
        return 0.0, 1.0
    low, high = (
        stats.binomtest(each, total).proportion_ci(confidence_level=confidence, method="exact")
        for each in (count, count + unknown)
    )
    return float(low.low), float(high.high)


def rate_test(count: int, total: int, limit: float, *, unknown: int = 0) -> tuple[float, float]:
    """Exact binomial tests of a rate against a limit, in both directions.

    Each p-value is twice the probability of a count at least as extreme, where the rate is the limit: the p-value of a
    test in both directions whose direction is then read off. The event is assumed wherever it is unknown and makes the
    direction's case weaker.

    Args:
        count: the number of runs in which the event happened.
        total: the number of runs.
        limit: the rate to compare with, in [0, 1].
        unknown: the number of other runs for which the event is unknown.

    Returns:
        The p-values of "the rate exceeds the limit" and of "the rate is below the limit"; at most 1.
    """
    _check_counts(count, total, unknown)
    above = stats.binom.sf(count - 1, total, limit)
    below = stats.binom.cdf(count + unknown, total, limit)
    return min(1.0, 2 * float(above)), min(1.0, 2 * float(below))


def _check_counts(count: int, total: int, unknown: int) -> None:
    if not 0 <= count <= count + unknown <= total:
        raise ValueError(f"count must lie between 0 and total, got {count} and {unknown} unknown of {total}")
