"""Runs of one setting in a panel: each by itself while they are few, and as a distribution where they are many.

A figure hands over its runs and a function that draws one of them. Of many runs, bands or a histogram are drawn, the
runs farthest outside are drawn by themselves and named, and a bar at the panel's edge shows the share of every failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ganbench.analysis.columns import FAILURES
from ganbench.core.formatting import format_number, format_percent
from ganbench.report.plotting.style import FAINT, INK, OUTCOME_COLOURS, outcomes_present

# As many runs of a setting are drawn one by one. Thirty lines of a point each take a quarter of a panel's height, and
# of more lines those below are hidden; and from thirty runs on a band of 90% leaves a run or two outside at either end,
# so that its edges rest on runs and not on extrapolation.
MAX_SINGLE = 30
BANDS = ((0.05, 0.95), (0.25, 0.75))  # quantiles: 90% and 50% of the runs
NAMED = 3  # runs outside the wider band that are drawn and named in a panel: more names would overlap
LINE = 0.09  # height of a name, in heights of the panel
BAR = (1.008, 0.022)  # left edge and width of the bar of failures, in widths of the panel
BINS = 24  # of a histogram
SPANS = 80  # parts of training in which the runs that have a span are counted
NARROWEST = 0.004  # width of the mark of a span, as a share of training


@dataclass(frozen=True)
class Course:
    """The course of one run.

    Attributes:
        name: the short name of the run within its setting.
        x: rising numbers, shape (P,).
        y: the values there, NaN or infinite where there is none, shape (P,).
    """

    name: str
    x: np.ndarray
    y: np.ndarray


def short_name(seed: int) -> str:
    """The name of a run within its setting: "s17" for the seed 17."""
    return f"s{format_number(seed)}"


def draw_courses(axes: Axes, courses: Sequence[Course], single: Callable[[int], object], colour: str) -> None:
    """Draw the courses of runs of one setting.

    Of many, the median and the bands of 50% and 90% are those of the runs that have a finite value there: runs that
    ended before are not in them, and the bar of `draw_failures` counts them. Time and size grow linearly with the
    number of runs.

    Args:
        axes: the panel.
        courses: the courses.
        single: draws one course, by its index.
        colour: the colour of the median and of the bands.
    """
    if len(courses) <= MAX_SINGLE:
        for index in range(len(courses)):
            single(index)
        return
    x = max((course.x for course in courses), key=len)
    values = np.stack([_at(x, course) for course in courses])
    known = np.isfinite(values).any(axis=0)
    x, values = x[known], values[:, known]
    if not len(x):
        return
    low, high, lower, upper, median = np.nanquantile(values, [*BANDS[0], *BANDS[1], 0.5], axis=0)
    for start, end, alpha in ((low, high, 0.15), (lower, upper, 0.3)):
        axes.fill_between(x, start, end, color=colour, alpha=alpha, linewidth=0, zorder=2)
    ends = []
    for index in _farthest(values, low, high, median):
        single(index)
        last = np.flatnonzero(np.isfinite(courses[index].y))[-1]
        ends.append((courses[index].name, courses[index].x[last], courses[index].y[last]))
    _name(axes, ends)
    axes.plot(x, median, color=colour, linewidth=1.8, zorder=5)


def draw_values(
    axes: Axes,
    at: float,
    reach: float,
    values: np.ndarray,
    outcomes: np.ndarray,
    names: Sequence[str],
    single: Callable[[float, float, str], object],
) -> None:
    """Draw one number of every run of a setting, or of every pair of runs, at a place of the x-axis, in their order.

    Of many, a histogram lies on its side: its bars are divided by the outcomes of runs.

    Args:
        axes: the panel, with the scale and limits of its y-axis.
        at: the place.
        reach: the distance to which marks may go on either side.
        values: the numbers, shape (runs,); those that are not finite are left out, for the caller to count.
        outcomes: the outcome of each run, shape (runs,).
        names: the short name of each run.
        single: draws one run, from its place, its value and its outcome.
    """
    known = np.isfinite(values)
    if len(values) <= MAX_SINGLE:
        offsets = np.linspace(-0.7 * reach, 0.7 * reach, len(values)) if len(values) > 1 else np.zeros(len(values))
        for offset, value, outcome in zip(offsets[known], values[known], outcomes[known], strict=True):
            single(at + offset, value, outcome)
        return
    if not known.any():
        return
    scale = axes.yaxis.get_transform()
    inside = scale.transform(values[known])
    edges = np.linspace(inside.min(), inside.max() + 1e-9 * max(1.0, abs(inside.max())), BINS + 1)
    bounds = scale.inverted().transform(edges)
    present = outcomes_present(outcomes[known])
    counts = np.array([np.histogram(inside[outcomes[known] == name], edges)[0] for name in present])
    widths = 2 * reach * counts / counts.sum(axis=0).max()
    lefts = at - reach + np.cumsum(widths, axis=0) - widths
    for name, width, left in zip(present, widths, lefts, strict=True):
        axes.barh(bounds[:-1], width, np.diff(bounds), left, align="edge", color=OUTCOME_COLOURS[name], linewidth=0)
    low, high, median = np.quantile(values[known], [*BANDS[0], 0.5])
    column, places = values[known][:, None], []
    for index in _farthest(column, np.array([low]), np.array([high]), np.array([median])):
        place = int(np.flatnonzero(known)[index])
        single(at, values[place], outcomes[place])
        places.append((names[place], at, values[place]))
    _name(axes, places)


def draw_spans(
    axes: Axes,
    at: float,
    left: np.ndarray,
    right: np.ndarray,
    owners: np.ndarray,
    runs: int,
    colour: str,
    *,
    counted: bool = False,
) -> None:
    """Draw spans of training, such as events, in a row of a panel whose y-axis points down.

    Of many runs, the height of a curve is the share of runs that have a span there, over the largest such share, which
    stands at the right of the row. So it is of few where spans are `counted`, since marks would hide one another.

    Args:
        axes: the panel, over shares of training.
        at: the place of the row on the y-axis; rows are 1 apart.
        left, right: the ends of each span, in [0, 1], shape (spans,).
        owners: the run of each span, shape (spans,).
        runs: the number of all runs of the row.
        colour: the colour of the row.
        counted: whether spans of several runs have the same ends, such as two snapshots.
    """
    style = {"color": colour, "linewidth": 0}
    if runs <= MAX_SINGLE and not counted:
        widths = np.maximum(right - left, NARROWEST)
        left = np.minimum(left, 1 - widths)  # what began at the last step has a mark within the panel
        axes.barh(np.full(len(left), at), widths, left=left, height=0.6, alpha=0.45, **style)
        return
    edges = np.unique([0.0, *left, *right, 1.0]) if counted else np.linspace(0, 1, SPANS + 1)
    parts = len(edges) - 1
    first = np.clip(np.searchsorted(edges, left, side="right") - 1, 0, parts - 1)
    last = np.maximum(np.searchsorted(edges, right) - 1, first)
    known = np.unique(owners, return_inverse=True)[1]
    touched = [known[index] * parts + np.arange(first[index], last[index] + 1) for index in range(len(left))]
    shares = np.bincount(np.unique(np.concatenate(touched)) % parts, minlength=parts) / runs
    heights = np.append(shares, shares[-1]) / shares.max()
    axes.fill_between(edges, at + 0.4, at + 0.4 - 0.8 * heights, step="post", alpha=0.7, **style)
    place = {"xycoords": axes.get_yaxis_transform(), "xytext": (3, 0), "textcoords": "offset points", "va": "center"}
    axes.annotate(format_percent(float(shares.max())), (1, at), fontsize=6.5, color=INK, **place)


def draw_failures(axes: Axes, runs: pd.DataFrame) -> None:
    """Draw the shares of failures of many runs as a bar along the panel's right edge, from the bottom; of few runs, in
    which every failed run is seen by itself, nothing."""
    if len(runs) <= MAX_SINGLE:
        return
    left, width = BAR
    place = {"transform": axes.transAxes, "clip_on": False, "linewidth": 0, "zorder": 4}
    axes.add_patch(Rectangle((left, 0), width, 1, facecolor=FAINT, **place))
    bottom = 0.0
    for outcome in outcomes_present(runs["outcome"]):
        if outcome in FAILURES:
            share = float((runs["outcome"] == outcome).mean())
            axes.add_patch(Rectangle((left, bottom), width, share, facecolor=OUTCOME_COLOURS[outcome], **place))
            bottom += share


def _at(x: np.ndarray, course: Course) -> np.ndarray:
    """The values of a course at other places: between its own along straight lines, NaN outside and beside gaps."""
    y = np.where(np.isfinite(course.y), course.y, np.nan)
    return np.interp(x, course.x, y, left=np.nan, right=np.nan) if len(y) else np.full(len(x), np.nan)


def _farthest(values: np.ndarray, low: np.ndarray, high: np.ndarray, median: np.ndarray) -> list[int]:
    """The runs that lie farthest outside the wider band, by their largest distance from its edge in units of the
    distance of this edge from the median, the farthest first; runs within the band everywhere are not among them."""
    whole = float((high - low).max()) or 1.0  # where most runs have one value, their band has no width
    above = (values - high) / np.where(high > median, high - median, whole)
    below = (low - values) / np.where(median > low, median - low, whole)
    distance = np.nanmax(np.where(np.isfinite(values), np.maximum(above, below), -np.inf), axis=1)
    order = np.argsort(-distance, kind="stable")[:NAMED]
    return [int(index) for index in order if distance[index] > 0]


def _name(axes: Axes, places: list[tuple[str, float, float]]) -> None:
    """Name runs at places of a panel, from the highest; names of places that are too near share a line."""
    to_axes = axes.transData + axes.transAxes.inverted()
    shown: list[tuple[list[str], float, float, float]] = []
    for name, x, y in sorted(places, key=lambda place: -place[2]):
        height = to_axes.transform((x, y))[1]
        if shown and shown[-1][3] - height < LINE:
            shown[-1][0].append(name)
        else:
            shown.append(([name], x, y, height))
    for names, x, y, height in shown:
        if 0 <= height <= 1:
            place = {"xytext": (-2, 2), "textcoords": "offset points", "ha": "right", "va": "bottom"}
            text = axes.annotate(", ".join(names), (x, y), **place)
            text.set(fontsize=6.5, color=INK, zorder=6, in_layout=False)
