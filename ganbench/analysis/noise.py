"""Whether a metric tells noise from real data: examples of independent numbers with the data's means and variances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ganbench.core.metric_info import MetricInfo

MIN_WIDTHS = 5  # of the null, by which noise lies beyond it; a metric of few moments scores noise about like real data
MAX_NOISE_SHARE = 0.5  # of what real data score, if much is best: of eight modes real data always reach 8, noise 7


def tells_noise(info: MetricInfo, null: tuple[float, float] | None, noise: float) -> bool | None:
    """Whether noise lies far beyond what real data score, on the worse side; None where that was not measured.

    Args:
        info: the metric, one end of which is better.
        null: the interval of the values that real data score; None if it was not measured.
        noise: what noise scores; NaN if that was not measured.
    """
    if null is None or np.isnan(noise):
        return None
    low, high = null
    beyond = MIN_WIDTHS * (high - low)
    if info.best == "low":
        return bool(noise - high > beyond)  # NumPy's False is not `False`, by which `telling_metric` tells it from None
    return bool(low - noise > beyond and noise <= MAX_NOISE_SHARE * low)


def telling_metric(told: Mapping[str, bool | None]) -> str | None:
    """The metric that tells how good examples are: the first, or if it does not tell noise from real data, the first
    that is known to. By the Fréchet distance of points, a cloud is a ring, and so is half of one.

    Args:
        told: by metric, the most telling first, what `tells_noise` says.

    Returns:
        Its name; None without any metric.
    """
    first = next(iter(told), None)
    if first is None or told[first] is not False:
        return first
    return next((name for name, tells in told.items() if tells), first)
