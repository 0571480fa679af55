"""Panels of data sets in which every method is a line, told apart by colour and by dashes."""

from __future__ import annotations

from math import lcm

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from ganbench.analysis.methods import failure_rate, not_learned
from ganbench.report.display_names import short_title
from ganbench.report.plotting.style import QUIET

# Paul Tol's "bright" scheme, told apart with any common colour vision, its cyan and yellow darkened to the contrast of
# 3 with white that the WCAG ask of graphics; no colour of an outcome.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#2f9fc2", "#94841c")
NARROW_TITLE = 16  # characters of a title that leave room for a test's result beside it
MAX_BANDS = 4  # of more methods, bands would hide one another
DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))


def method_styles(count: int) -> list[dict]:
    """The line styles of a data set's methods, in their order: neighbours differ in colour and in dashes. Beyond 24
    methods, styles repeat."""
    again = lcm(len(COLOURS), len(DASHES))  # as many methods have styles of their own before dashes shift by one
    return [
        {
            "color": COLOURS[index % len(COLOURS)],
            "linestyle": DASHES[(index + index // again) % len(DASHES)],
            "linewidth": 1.6,
        }
        for index in range(count)
    ]


def data_panels(datasets: int, lines: int) -> tuple[Figure, np.ndarray]:
    """A figure with one panel per data set, two in a row, each with room for a legend below it.

    Args:
        datasets: the number of panels.
        lines: the largest number of entries of a legend.

    Returns:
        The figure, and its panels of shape (datasets,).
    """
    columns = min(datasets, 2)
    rows = -(-datasets // columns)
    figure = Figure(figsize=(5.4 * columns + 0.6, rows * (3.1 + 0.17 * lines)), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in panels[datasets:]:
        spare.set_axis_off()
    return figure, panels[:datasets]


def data_title(axes: Axes, dataset: str, test: str = "", **options: float) -> None:
    """Title a panel with its data set, as `short_title` names it.

    Args:
        axes: the panel.
        dataset: the data set as tables show it, label and signature.
        test: the result of a test of what the panel shows, or a note on it, at its right; a title that is too long to
            stand beside it stands one line higher.
        options: further arguments of `Axes.set_title`.
    """
    name = short_title(dataset)
    above = "\n " if test and len(name) > NARROW_TITLE else ""
    axes.set_title(name + above, fontweight="bold", **options)
    if test:
        axes.set_title(test, loc="right", fontsize=8, color=QUIET, **options)


def failures_in_words(runs: pd.DataFrame) -> str:
    """How many runs failed, of how many that is not known, and how many neither failed nor had learned by their end:
    "2 of 10 seen to fail, 3 of 10 undetermined, 4 not learned"."""
    rate, idle = failure_rate(runs), int(not_learned(runs).sum())
    words = []
    if not rate.unknown:
        words.append(f"{rate.count} of {rate.total} failed")
    elif rate.count or rate.unknown < rate.total:
        words.append(f"{rate.count} of {rate.total} seen to fail")
    words += [f"{rate.unknown} of {rate.total} undetermined"] if rate.unknown else []
    return ", ".join(words + [f"{idle} not learned"] * bool(idle))


def draw_legend(axes: Axes, handles: list[Line2D], *, below: float = 0.0) -> None:
    """Put a legend below a panel, one line per entry, and lower by as many points as are needed for something else."""
    lowered = axes.transAxes + ScaledTranslation(0, -below / 72, axes.figure.dpi_scale_trans)
    place = {"loc": "upper left", "bbox_to_anchor": (-0.02, -0.2), "bbox_transform": lowered}
    axes.legend(handles=handles, fontsize=7.5, borderaxespad=0, **place)
