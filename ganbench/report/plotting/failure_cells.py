"""Cells of the share of failed runs, with the counts of these and of runs that had not learned in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ganbench.analysis.methods import failure_rate, not_learned
from ganbench.report.plotting.style import FAINT, INK

# From nearly white to the dark end of one hue: reads the same in grey and with any colour vision.
COLOURS = sns.light_palette("#a63a00", as_cmap=True)
HATCH = "#b3a67a"  # of cells of runs that had not learned, faint enough for the words over it


def draw_cells(
    axes: Axes, cells: Sequence[Sequence[pd.DataFrame | None]], columns: Sequence[str], rows: Sequence[str]
) -> None:
    """Draw failure rates as a heat map: the darker, the more failed.

    A cell is hatched where at least half of its runs neither failed nor had learned by their end: that few failed there
    speaks for nothing.

    Args:
        axes: the panel.
        cells: the runs of every cell, None where there are none, rows by columns.
        columns: the words below the columns.
        rows: the words beside the rows.
    """
    rates = np.array([[np.nan if runs is None else failure_rate(runs).value for runs in row] for row in cells])
    labels = np.array([["" if runs is None else _counts(runs) for runs in row] for row in cells], dtype=object)
    look = {"cmap": COLOURS, "vmin": 0, "vmax": 1, "cbar": False, "linewidths": 1.5, "linecolor": "white"}
    ticks = {"xticklabels": columns, "yticklabels": rows}
    sns.heatmap(rates, ax=axes, mask=np.isnan(rates), annot=labels, fmt="", annot_kws={"fontsize": 8}, **look, **ticks)
    axes.set_facecolor(FAINT)
    for row, column in np.argwhere(np.isnan(rates)):  # cells without a colour, which seaborn does not annotate
        place = {"ha": "center", "va": "center", "color": INK, "fontsize": 8}
        axes.text(column + 0.5, row + 0.5, labels[row, column], **place)
    hatched = {"fill": False, "linewidth": 0, "hatch": "////", "edgecolor": HATCH}
    for row, runs_of in enumerate(cells):
        for column, runs in enumerate(runs_of):
            if runs is not None and 2 * not_learned(runs).sum() >= len(runs):
                axes.add_patch(Rectangle((column, row), 1, 1, **hatched))
    axes.tick_params(length=0, rotation=0)


def draw_scale(figure: Figure, panels: np.ndarray) -> None:
    """Draw the scale of all panels: seaborn's colour bar would belong to one of them.

    Args:
        figure: the figure.
        panels: its panels, the first of which has cells.
    """
    first = panels.ravel()[0]
    bar = figure.colorbar(first.collections[0], ax=panels.ravel().tolist(), shrink=0.8, aspect=25, pad=0.01)
    bar.set_ticks([0, 0.5, 1], labels=["0%", "50%", "100%"])
    bar.set_label("failed")
    bar.outline.set_visible(False)


def _counts(runs: pd.DataFrame) -> str:
    """The number of failed runs of all, with the signs ≥ and ? where it is not known of some, and below it the number
    of those that neither failed nor had learned."""
    rate, idle = failure_rate(runs), int(not_learned(runs).sum())
    count = f"{rate.count}/{rate.total}"
    if rate.unknown:
        count = f"≥{count}" if rate.count else f"?/{rate.total}"
    return count + f"\n{idle} not learned" * bool(idle)
