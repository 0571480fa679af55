"""How much oftener events have one of another kind near them than chance would have it, without drawing at random."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Interval = tuple[int, int]  # first and last step


def lift(events: Sequence[Interval], others: Sequence[Interval], cells: np.ndarray, gap: int) -> float:
    """Compute how much oftener events have one of another kind near them than windows at random places have.

    An event is near another if at most `gap` steps lie from the end of one to the start of the other, or if they
    overlap. The share of events with one near is divided by the share that is expected of windows that are as long and
    lie anywhere that events can: for each event the share of all windows of as many cells that have one near, then the
    mean over events. So the mean lift of events at random places is 1. Windows at every step would not have it so:
    events of both kinds begin and end with cells, so that some distances between them cannot occur. Unrelated events of
    both kinds that lie in the second half of a run have a lift of 2: places at random are those of the whole run.

    Args:
        events: first and last steps of the events.
        others: those of the events of the other kind.
        cells: first and last steps of the stretches that the events are made of, (cells, 2): bins, or snapshots.
        gap: the largest distance in steps.

    Returns:
        The ratio; NaN without events of either kind, where there is nothing to compare.
    """
    if not len(events) or not len(others) or not len(cells):
        return math.nan
    start, end = np.array(events).T
    first = np.clip(np.searchsorted(cells[:, 0], start, side="right") - 1, 0, None)
    last = np.clip(np.searchsorted(cells[:, 1], end), first, len(cells) - 1)
    lengths, counts = np.unique(last - first, return_counts=True)
    expected = [_near(cells[: len(cells) - more, 0], cells[more:, 1], others, gap).mean() for more in lengths]
    chance = np.average(expected, weights=counts)
    return float(_near(start, end, others, gap).mean() / chance) if chance else math.nan


def _near(start: np.ndarray, end: np.ndarray, others: Sequence[Interval], gap: int) -> np.ndarray:
    """Which windows have one of the others near, (windows,) of bool: more of these have begun by the end of a window
    than were over at its start, both with `gap` steps to spare."""
    first, last = np.sort(np.array(others), axis=0).T
    begun = np.searchsorted(first - gap, end, side="right")
    return begun > np.searchsorted(last + gap, start)
