"""Spikes of a recorded series: robust deviations from its own recent past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ganbench.analysis.outcomes._run import Series

HISTORY_STEPS, HISTORY_BINS = 200, 20  # the past that a bin is compared with: so many steps, and so many bins at least
MIN_SPREAD = 0.01  # of ln |loss|: a series that hardly moves has no spikes of less than some per cent
NORMAL = 1.4826  # standard deviations in a median absolute deviation of a normal distribution


@dataclass(frozen=True)
class Spike:
    """A stretch of bins that stands out of the past of a series.

    Attributes:
        start, end: first step of its first bin, and last step of its last bin.
        size: its largest |value|, over the usual one before it.
        recovered: whether the series came back to where it was before.
    """

    start: int
    end: int
    size: float
    recovered: bool


def spikes(series: Series, *, deviations: float, gap: float, floor: float = 0.0) -> list[Spike]:
    """The upward spikes of a loss, in the order of steps.

    A bin b begins a spike where z = (y_b - median) / (1.4826 MAD) exceeds `deviations`. The median and the median
    absolute deviation are those of y in the bins before, of `HISTORY_STEPS` steps and `HISTORY_BINS` bins at least, and
    y is asinh of the largest value of a bin: logarithmic for losses beyond 1, linear for small ones of either sign. A
    steady growth, linear or exponential, deviates by 1.3 at any speed and is no spike. The spike lasts until a bin is
    back within half of `deviations` of the same past. If none is within as many bins as the past has, the series has a
    new level: the spike ends there and has not recovered. Spikes within `gap` steps of one another count as one.

    The wider the bins, the likelier a false alarm, since the largest of many steps stands out of 20 such. Of runs of
    200 bins without spikes, so many have one or more at six deviations:

    ========================================  =====  =====  =====
    steps in a bin                                5     20    100
    ========================================  =====  =====  =====
    normal noise, a tenth of the loss            0%     8%    18%
    log-normal noise, 0.5                        5%    14%    26%
    exponential noise                            0%     3%     5%
    AR(1) of ln loss, 0.9 from step to step      1%     7%    11%
    random walk of ln loss, 0.02 a step          8%    34%    45%
    ========================================  =====  =====  =====

    Args:
        series: the series.
        deviations: the least deviation, in robust standard deviations.
        gap: the largest number of steps between two parts of one spike.
        floor: the smallest usual |value| that sizes are relative to.
    """
    found: list[Spike] = []
    for first, last, size, recovered in _stretches(series, deviations, floor):
        start, end = int(series.first[first]), int(series.last[last])
        if found and start - found[-1].end <= gap:
            before = found.pop()
            start, size = before.start, max(size, before.size)
        found.append(Spike(start, end, size, recovered))
    return found


def bins_for_spikes(width: float) -> int:
    """The least number of bins in which a series can be said to have no spikes: half of them have a past.

    Args:
        width: the usual number of steps in a bin.
    """
    return 2 * _past_of(width)


def _past_of(width: float) -> int:
    """Number of bins that a bin is compared with."""
    return max(HISTORY_BINS, int(np.ceil(HISTORY_STEPS / width)))


def _stretches(series: Series, deviations: float, floor: float) -> Iterator[tuple[int, int, float, bool]]:
    """Indices of the first and the last bin of each spike, its size, and whether it recovered."""
    y = np.arcsinh(series.high)
    window = _past_of(series.width)
    if len(y) <= window:
        return
    past = sliding_window_view(y, window)[:-1]  # of the bins from `window` on, those before
    middle = np.median(past, axis=1)
    spread = np.maximum(NORMAL * np.median(np.abs(past - middle[:, None]), axis=1), MIN_SPREAD)
    standing_out = y[window:] - middle > deviations * spread
    at = window
    while (ahead := standing_out[at - window :]).any():
        at += int(ahead.argmax())
        before = middle[at - window]
        near = y[at : at + window] - before <= deviations / 2 * spread[at - window]
        end = at + int(near.argmax()) if near.any() else min(at + window, len(y))
        usual = max(abs(float(np.sinh(before))), floor, 1e-12)
        yield at, end - 1, float(np.abs(series.high[at:end]).max()) / usual, bool(near.any())
        at = end
