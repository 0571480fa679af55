"""The interquartile mean of a handful of runs, and the spread of a metric over the runs of one setting.

How often, in percent, the 95% interval holds the interquartile mean of the distribution (4,000 samples each; lognormal
of sigma 1; a mixture, in which every fifth run is a failed one of another size, ten standard deviations off):

| values | 3 | 4 | 5 | 6 | 7 | 8 | 10 | 20 |
|---|---|---|---|---|---|---|---|---|
| normal | 95 | 94 | 94 | 94 | 95 | 97 | 95 | 95 |
| lognormal | 93 | 92 | 92 | 93 | 94 | 96 | 95 | 95 |
| mixture | 96 | 93 | 95 | 96 | 96 | 96 | 96 | 96 |

The percentile bootstrap holds it in 74, 89, 93 and 93% of normal samples of 3, 5, 8 and 10, and BCa in 72, 90, 94 and
92%. With three values none is cut: the interval is that of a mean, and holds the mean of the mixture in 74% only.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from ganbench.analysis.statistics.rates import CONFIDENCE

# From as many values on, resamples have a spread often enough that quantiles of studentised means are finite.
BOOTSTRAPPED = 8
DRAWN = (
    2**18
)  # values that are drawn at once: more of them leave the processor's caches, and gigabytes are soon reached


@dataclass(frozen=True)
class Spread:
    """Summary of a metric over the runs of one setting that have a value; `values` is the number of these runs."""

    values: int
    iqm: float
    iqm_low: float
    iqm_high: float
    min: float
    max: float


def interquartile_mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of the middle half: floor(n / 4) values are cut from either end, so that three values lose none.

    It is less sensitive to an outlier than the mean, and varies in finer steps than the median.

    Source: R. Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS.

    Args:
        values: finite numbers, at least one along `axis`.
        axis: the axis to average over.
    """
    return stats.trim_mean(values, proportiontocut=0.25, axis=axis)


def interquartile_mean_interval(
    values: np.ndarray, generator: np.random.Generator, *, confidence: float = CONFIDENCE, resamples: int = 1999
) -> tuple[float, float]:
    """Studentised interval of an interquartile mean.

    The bounds are the estimate less a quantile of (estimate - truth) / standard error, times the standard error. With g
    values cut from either end and h = n - 2 g kept, the standard error is that of the winsorised sample, in which each
    cut value is replaced by its nearest kept one: its standard deviation times sqrt((n - 1) / (h (h - 1))). Below
    `BOOTSTRAPPED` values the quantiles are those of Student's distribution with h - 1 degrees of freedom, and from
    there on those of the same ratio in resamples of the values, which follow the values' skewness.

    Sources: J. W. Tukey and D. H. McLaughlin (1963), "Less vulnerable confidence and significance procedures for
    location based on a single sample", Sankhya A 25; P. Hall (1988), "Theoretical comparison of bootstrap confidence
    intervals", Annals of Statistics 16.

    Args:
        values: finite numbers, shape (n,).
        generator: the source of the resamples.
        confidence: the coverage of the interval, in (0, 1).
        resamples: the number of bootstrap samples.

    Returns:
        The lower and the upper bound; NaN for both where fewer than two values are given.
    """
    count, tail = len(values), (1 - confidence) / 2
    if count < 2:
        return float("nan"), float("nan")
    middle, standard_error = (float(each) for each in _mean_and_standard_error(values))
    if count < BOOTSTRAPPED or standard_error == 0:
        reach = float(stats.t.ppf(1 - tail, count - 2 * (count // 4) - 1)) * standard_error
        return middle - reach, middle + reach
    rows = max(1, DRAWN // count)
    parts = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    found = [_mean_and_standard_error(values[generator.integers(count, size=(size, count))]) for size in parts]
    means, standard_errors = (np.concatenate(each) for each in zip(*found, strict=True))
    off = means - middle
    # A resample whose middle half is one value is infinitely far off, or not at all.
    infinite = np.where(off == 0, 0.0, np.copysign(np.inf, off))
    ratios = np.sort(np.divide(off, standard_errors, out=infinite, where=standard_errors > 0))
    rank = round(tail * (resamples + 1))
    return middle - float(ratios[-rank]) * standard_error, middle - float(ratios[rank - 1]) * standard_error


def _mean_and_standard_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interquartile mean over the last axis, and its standard error."""
    count = values.shape[-1]
    cut = count // 4
    kept = count - 2 * cut
    ranked = np.sort(values, axis=-1)
    middle = ranked[..., cut : count - cut].mean(axis=-1)
    winsorised = np.clip(ranked, ranked[..., [cut]], ranked[..., [count - cut - 1]])
    return middle, winsorised.std(axis=-1, ddof=1) * sqrt((count - 1) / (kept * (kept - 1)))


def spread(values: np.ndarray, generator: np.random.Generator) -> Spread:
    """Summarise a metric over the runs of a setting that have a value.

    Args:
        values: the metric of every run, NaN or infinite where a run has no value, shape (runs,).
        generator: the source of the bootstrap's resamples.
    """
    values = np.asarray(values, dtype=np.float64)
    kept = values[np.isfinite(values)]
    if not len(kept):
        return Spread(0, *[float("nan")] * 5)
    low, high = interquartile_mean_interval(kept, generator)
    return Spread(
        values=len(kept),
        iqm=float(interquartile_mean(kept)),
        iqm_low=low,
        iqm_high=high,
        min=float(kept.min()),
        max=float(kept.max()),
    )
