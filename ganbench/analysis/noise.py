"""Whether a metric tells noise from real data: examples of independent numbers with the data's means and variances."""

from __future__ import annotations

TOLD = 5  # widths of the null that noise lies beyond it; a metric of few moments scores noise about like real data


def tells_noise(noise: float, real: float, width: float) -> bool:
    """Whether noise lies far beyond what real data score.

    Args:
        noise: the distance of noise from real data by the metric; NaN if that was not measured.
        real: the largest distance that real data score.
        width: the width of the interval in which they score.
    """
    return noise - real > TOLD * width
