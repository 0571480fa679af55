"""How much oftener events have one of another kind near them than chance would have it, by the runs of other seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Interval = tuple[int, int]  # first and last step


def lift(
    events: Sequence[Interval], own: Sequence[Interval], others: Sequence[tuple[int, Sequence[Interval]]], gap: int
) -> float:
    """Compute how much oftener events have one of another kind near them than they have one of another run's.

    An event is near another if at most `gap` steps lie from the end of one to the start of the other, or if they
    overlap. The share of a run's events with one of its own near is divided by the share of them with one of another
    run near, the mean over events of the share of other runs that were trained until then. So kinds of event that have
    nothing to do with one another have a lift of 1 in the mean over many runs, also where both are commoner in one part
    of training: then those of other seeds are, too.

    Args:
        events: the run's events, in steps.
        own: its events of the other kind.
        others: by run of another seed at the same setting, its last step, and its events of the other kind.
        gap: the largest distance in steps.

    Returns:
        The ratio; infinite where only the run's own are near. NaN without events, without a run of another seed that
        was trained as far as one of them, and where none is near in any run.
    """
    near, by_chance = [], []
    for start, end in events:
        reached = [_near(start, end, theirs, gap) for last, theirs in others if last >= end]
        if reached:
            near.append(_near(start, end, own, gap))
            by_chance.append(np.mean(reached))
    if not any(near) and not any(by_chance):
        return math.nan
    return float(np.mean(near) / np.mean(by_chance)) if any(by_chance) else math.inf


def _near(start: int, end: int, others: Sequence[Interval], gap: int) -> bool:
    return any(first - gap <= end and start <= last + gap for first, last in others)
