"""Estimates with their uncertainty, for a handful of seeds per setting.

A failed run is data: `spread` takes a metric's values with their NaNs and counts the runs that have a value, and
`wilson` takes the number of runs for which an event is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
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

    def overlaps(self, other: Rate) -> bool:
        """Whether the two intervals share a point."""
        return self.lower <= other.upper and other.lower <= self.upper


@dataclass(frozen=True)
class Spread:
    """Summary of a metric over the runs of one setting that have a value; `values` is the number of these runs."""

    values: int
    iqm: float
    iqm_low: float
    iqm_high: float
    min: float
    max: float


def wilson(count: int, total: int, *, unknown: int = 0, confidence: float = CONFIDENCE) -> Rate:
    """Wilson score interval of a binomial rate.

    The interval holds every rate p that a score test would not reject: |count/total - p| <= z sqrt(p (1 - p) / total),
    with z the normal quantile of (1 + confidence) / 2. Unlike the textbook interval p ± z se it stays inside [0, 1] and
    has a positive width at 0 and at `total` successes, which are common in small studies.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22.

    Args:
        count: The number of runs in which the event happened.
        total: The number of runs; without runs, the interval is [0, 1].
        unknown: The number of other runs for which the event is unknown. The lower bound counts them as runs without
            the event, and the upper bound as runs with it.
        confidence: The coverage of the interval, in (0, 1).

    Raises:
        ValueError: A number is negative, or count and unknown together exceed total.
    """
    if not 0 <= count <= count + unknown <= total:
        raise ValueError(f"count must lie between 0 and total, got {count} and {unknown} unknown of {total}")
    if total == 0:
        return Rate(count=0, total=0, lower=0.0, upper=1.0)
    low, high = (
        stats.binomtest(each, total).proportion_ci(confidence_level=confidence, method="wilson")
        for each in (count, count + unknown)
    )
    return Rate(count=count, total=total, lower=float(low.low), upper=float(high.high), unknown=unknown)


def interquartile_mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of the middle half: floor(n / 4) values are cut from either end, so that three values lose none.

    It is less sensitive to an outlier than the mean, and varies in finer steps than the median.

    Source: R. Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS.

    Args:
        values: Finite numbers, at least one along `axis`.
        axis: The axis to average over.
    """
    return stats.trim_mean(values, proportiontocut=0.25, axis=axis)


def bootstrap_interval(
    values: np.ndarray,
    statistic: Callable[..., np.ndarray],
    generator: np.random.Generator,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = 2000,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of one sample.

    With three to five values the interval cannot reach beyond the smallest and the largest value, and covers less than
    its nominal confidence: it shows the spread of the values, and decides nothing.

    Source: B. Efron (1979), "Bootstrap methods: another look at the jackknife", Annals of Statistics 7.

    Args:
        values: Finite numbers, shape (n,).
        statistic: A function of (array, axis=...) that reduces that axis.
        generator: The source of the resamples.
        confidence: The coverage of the interval, in (0, 1).
        resamples: The number of bootstrap samples.

    Returns:
        The lower and the upper bound; NaN for both where fewer than two values are given.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    result = stats.bootstrap(
        (values,),
        statistic,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        vectorized=True,
        rng=generator,
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def spread(values: np.ndarray, generator: np.random.Generator) -> Spread:
    """Summarise a metric over the runs of a setting that have a value.

    Args:
        values: The metric of every run, NaN or infinite where a run has no value, shape (runs,).
        generator: The source of the bootstrap's resamples.
    """
    values = np.asarray(values, dtype=np.float64)
    kept = values[np.isfinite(values)]
    if not len(kept):
        return Spread(0, *[float("nan")] * 5)
    low, high = bootstrap_interval(kept, interquartile_mean, generator)
    return Spread(
        values=len(kept),
        iqm=float(interquartile_mean(kept)),
        iqm_low=low,
        iqm_high=high,
        min=float(kept.min()),
        max=float(kept.max()),
    )
