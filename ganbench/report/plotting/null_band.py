"""The null of a metric in a panel: what real examples score, as a line at the mean and a band of the interval; and what
noise scores, as a dotted line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ganbench.analysis.nulls import NullInterval
from ganbench.report.plotting.style import QUIET, REFERENCE

BAND = {"color": QUIET, "alpha": 0.2, "linewidth": 0}
NOISE = {"color": QUIET, "linestyle": "dotted", "linewidth": 1.2}


def draw_null(axes: Axes, null: NullInterval | None, axis: Literal["x", "y"] = "y") -> None:
    """Draw the null of a panel's metric, behind everything else; nothing where there is none.

    Args:
        axes: the panel.
        null: the null.
        axis: the axis of the metric.
    """
    if null is None:
        return
    span, line = (axes.axhspan, axes.axhline) if axis == "y" else (axes.axvspan, axes.axvline)
    if null.low < null.high:
        span(null.low, null.high, zorder=0.5, **BAND)
    line(null.mean, zorder=1, **REFERENCE)


def shown_with(null: NullInterval | None, values: np.ndarray) -> np.ndarray:
    """The values that a panel must have room for: its own, and its null's. A lower bound of 0 may lie below a
    logarithmic axis."""
    if null is None:
        return values
    return np.concatenate([values, [each for each in (null.mean, null.low, null.high) if each != 0]])


def draw_noise(axes: Axes, noise: float, values: np.ndarray) -> None:
    """Draw what noise scores, where that lies in the range of the values that a panel shows.

    Args:
        axes: the panel.
        noise: what noise scores; NaN if that was not measured.
        values: the values, of any shape; NaN and infinite ones are passed over.
    """
    if _has(values, noise):
        axes.axhline(noise, zorder=1, **NOISE)


def noise_legend(shown: Iterable[tuple[float, np.ndarray]]) -> list[Artist]:
    """The legend's entry for what noise scores, if that is drawn beside any of the values."""
    drawn = any(_has(values, noise) for noise, values in shown)
    return [Line2D([], [], label="noise", **NOISE)] if drawn else []


def _has(values: np.ndarray, value: float) -> bool:
    known = values[np.isfinite(values)]
    return known.size > 0 and bool(known.min() <= value <= known.max())


def null_legend(nulls: Iterable[NullInterval | None]) -> list[Artist]:
    """The legend's entries for the nulls of a figure."""
    known = [null for null in nulls if null is not None]
    entries: list[Artist] = [Line2D([], [], label="real data", **REFERENCE)] if known else []
    if any(null.low < null.high for null in known):
        entries.append(Patch(label="95% of real samples", **BAND))
    return entries
