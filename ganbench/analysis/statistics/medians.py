"""The median of a few runs with a distribution-free interval, in which failed runs count as the worst."""

from __future__ import annotations

import numpy as np
from scipy import stats

from ganbench.analysis.statistics.rates import CONFIDENCE


def median(values: np.ndarray) -> float:
    """The median of numbers that may be infinite: NaN where it is not finite, and where there are no values."""
    if not len(values):
        return float("nan")
    ranked = np.sort(values)
    middle = ranked[[(len(ranked) - 1) // 2, len(ranked) // 2]]
    return float(middle.mean()) if np.isfinite(middle).all() else float("nan")


def median_interval(values: np.ndarray, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of a distribution's median between two of the ordered values.

    A value lies below the median with probability 1/2 at most, and above it too. So the median lies between the k-th
    smallest and the k-th largest of n values with a probability of at least 1 - 2 P(B < k), B binomial of n and 1/2,
    whatever the distribution. The largest such k is taken. Five values do not suffice: all of them hold the median with
    94% only (four with 87%, three with 75%); six do with 97%. Ten values hold it between the second and the ninth with
    98%, twenty between the sixth and the fifteenth with 96%.

    Values may be infinite, so that failed runs count as worse than any: then a bound may be infinite too.

    Source: W. R. Thompson (1936), "On confidence ranges for the median and other expectation distributions for
    populations of unknown distribution form", Annals of Mathematical Statistics 7.

    Args:
        values: numbers that are not NaN, shape (n,).
        confidence: the least coverage of the interval, in (0, 1).

    Returns:
        The lower and the upper bound; NaN for both where there are too few values for any interval.
    """
    tail = (1 - confidence) / 2
    rank = int(stats.binom.ppf(tail, len(values), 0.5)) if len(values) else 0
    # `ppf` is the smallest k with P(B <= k) >= tail; the interval needs P(B < k) = P(B <= k - 1) <= tail.
    if rank < 1:
        return float("nan"), float("nan")
    ranked = np.sort(values)
    return float(ranked[rank - 1]), float(ranked[len(ranked) - rank])
