"""Estimates with their uncertainty, for a handful of seeds per setting. No function plots or prints.

A failed run is data. Functions that take a metric's values therefore take them with their NaNs, and say in their result
how many runs there were, how many failed and how many had a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rate:
    """The rate of an event, with an interval for its probability."""

    count: int
    total: int
    lower: float
    upper: float
    unknown: int = 0  # number of observations whose result is not known; not in `count`

    @property
    def value(self) -> float:
        """Observed share in [0, 1]; NaN without observations, and where the result of one is not known."""
        return self.count / self.total if self.total and not self.unknown else float("nan")

    def overlaps(self, other: Rate) -> bool:
        """Whether the two intervals share a point."""
        return self.lower <= other.upper and other.lower <= self.upper


@dataclass(frozen=True)
class Spread:
    """The spread of a metric over the runs of one setting that have a value; `values` is their number."""

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
    has a width at 0 and at `total` successes, which are common in small studies.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22.

    Args:
        count: number of runs with the event.
        total: number of runs; if it is 0, the interval is [0, 1].
        unknown: number of the other runs whose result is not known. They count as runs without the event for the lower
            bound, and as runs with it for the upper one.
        confidence: coverage of the interval, in (0, 1).

    Raises:
        ValueError: count or unknown is negative, or their sum exceeds total.
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

    It depends less on a single outlier than the mean, and is less coarse than the median.

    Source: R. Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS.

    Args:
        values: finite numbers, at least one along `axis`.
        axis: the axis to average over.
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

    With three to five values, the interval cannot reach beyond the smallest and the largest of them, and its coverage
    is too small. It then shows the spread of the values, and decides nothing.

    Source: B. Efron (1979), "Bootstrap methods: another look at the jackknife", Annals of Statistics 7.

    Args:
        values: finite numbers, shape (n,).
        statistic: function of (array, axis=...) that reduces that axis.
        generator: source of the resamples.
        confidence: coverage of the interval, in (0, 1).
        resamples: number of bootstrap samples.

    Returns:
        Lower and upper bound; NaN for fewer than two values.
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
    """The spread of a metric over the runs of a setting that have a value.

    Args:
        values: the metric of every run, NaN or infinite where a run has none, shape (runs,).
        generator: source of the bootstrap's resamples.
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
