"""The width of the region of an axis in which a rate exceeds a limit, from counts at a few values of the axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from ganbench.analysis.statistics.rates import CONFIDENCE, exact_interval


@dataclass(frozen=True)
class Region:
    """Where a rate exceeds a limit between the first and the last position at which it was observed."""

    pieces: tuple[tuple[float, float], ...]  # start and end of every piece, rising; empty where the rate never exceeds
    width: float  # of all pieces together; NaN where the event is unknown for an observation
    low: float  # bounds of the width's interval; the upper one is infinite where the region may leave the positions
    high: float
    open_below: bool  # whether the rate exceeds the limit at the first position: the region may start before it
    open_above: bool  # whether it does so at the last position


def pieces_above(positions: np.ndarray, rates: np.ndarray, limit: float) -> tuple[tuple[float, float], ...]:
    """The pieces in which a rate exceeds a limit, the rate being linear between neighbouring positions.

    Args:
        positions: rising numbers, shape (P,), two at least.
        rates: the rate at every position, shape (P,).
        limit: the limit.

    Returns:
        The start and the end of every piece, rising. A rate that touches the limit does not exceed it.

    Raises:
        ValueError: the shapes differ, or positions do not rise.
    """
    positions, rates = np.asarray(positions, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    if positions.shape != rates.shape or len(positions) < 2 or not (np.diff(positions) > 0).all():
        raise ValueError(f"expected a rate at each of two or more rising positions, got positions {positions.tolist()}")
    pieces: list[tuple[float, float]] = []
    for index in range(len(positions) - 1):
        ends, sides = positions[index : index + 2], rates[index : index + 2] - limit
        if sides.max() <= 0:
            continue
        start, end = ends
        if sides.min() < 0:
            crossing = ends[0] + (ends[1] - ends[0]) * sides[0] / (sides[0] - sides[1])
            start, end = (crossing, ends[1]) if sides[0] < 0 else (ends[0], crossing)
        # Pieces that meet in a position above the limit are one; where the rate touches the limit there, they are two.
        if pieces and pieces[-1][1] == start and sides[0] > 0:
            start = pieces.pop()[0]
        pieces.append((float(start), float(end)))
    return tuple(pieces)


def region_above(
    positions: Sequence[float],
    counts: Sequence[int],
    totals: Sequence[int],
    *,
    unknown: Sequence[int] | None = None,
    limit: float = 0.5,
    confidence: float = CONFIDENCE,
) -> Region:
    """Estimate the region in which the rate of an event exceeds a limit, with an interval of its width.

    The observed rates are interpolated linearly between neighbouring positions; the width is that of all pieces above
    the limit. It grows with every rate. So where all rates lie within bounds of their own, the width of the true rates,
    interpolated alike, lies between the widths of the lower and of the upper bounds. The bounds are Clopper and
    Pearson's at the confidence 1 - (1 - confidence) / P for P positions: all of them hold at once with the confidence
    that was asked for, whatever the rates and whatever the dependence of the observations of different positions, such
    as runs of equal seeds (Bonferroni). That also holds where every run or none had the event, where resampling of
    runs would show no spread at all. The price is a wide interval for a handful of runs.

    The region is censored at the ends of the positions: where the upper bound of the rate at an end exceeds the limit,
    nothing bounds the width from above.

    Sources: C. J. Clopper and E. S. Pearson (1934), Biometrika 26, for the bounds; the width's interval is that of a
    monotone function of parameters with simultaneous bounds.

    Args:
        positions: rising numbers, such as logarithms of learning rates, two at least.
        counts: the number of observations with the event at every position.
        totals: the number of observations at every position, one at least.
        unknown: the number of observations at every position for which the event is unknown; None for zero.
        limit: the limit, in [0, 1).
        confidence: the coverage of the interval, in (0, 1).

    Raises:
        ValueError: numbers of positions and of counts differ, positions do not rise, or one has no observation.
    """
    unknown = [0] * len(counts) if unknown is None else unknown
    if not len(positions) == len(counts) == len(totals) == len(unknown) or min(totals, default=0) < 1:
        raise ValueError(f"expected a count, and a total of 1 or more, per position, got {counts} of {totals}")
    level = 1 - (1 - confidence) / len(positions)
    bounds = [
        exact_interval(count, total, unknown=missing, confidence=level)
        for count, total, missing in zip(counts, totals, unknown, strict=True)
    ]
    lower, upper = (np.array(each) for each in zip(*bounds, strict=True))
    rates = np.asarray(counts, dtype=np.float64) / np.asarray(totals)
    pieces = pieces_above(positions, rates, limit)
    unbounded = max(upper[0], upper[-1]) > limit
    return Region(
        pieces=pieces,
        width=float("nan") if any(unknown) else _width(pieces),
        low=_width(pieces_above(positions, lower, limit)),
        high=float("inf") if unbounded else _width(pieces_above(positions, upper, limit)),
        open_below=bool(rates[0] > limit),
        open_above=bool(rates[-1] > limit),
    )


def observations_for_a_bound(positions: int, *, limit: float = 0.5, confidence: float = CONFIDENCE) -> int:
    """The least number of observations at a position with which `region_above` can bound a width by anything.

    With fewer, the lower bound of a rate of 1 does not exceed the limit, and the upper bound of a rate of 0 does, so
    that every interval is that from 0 to infinity, whatever was observed.

    Args:
        positions: the number of positions.
        limit: the limit, in (0, 1).
        confidence: the coverage of the interval, in (0, 1).
    """
    level = 1 - (1 - confidence) / positions
    return next(
        total
        for total in count(1)
        if exact_interval(total, total, confidence=level)[0] > limit
        or exact_interval(0, total, confidence=level)[1] <= limit
    )


def _width(pieces: Sequence[tuple[float, float]]) -> float:
    return float(sum(end - start for start, end in pieces))
