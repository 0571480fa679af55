"""Cells of the share of failed runs, with the counts in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.analysis.statistics.rates import Rate
from ganbench.report.plotting.style import FAINT, INK

# From nearly white to the dark end of one hue: reads the same in grey and with any colour vision.
COLOURS = sns.light_palette("#a63a00", as_cmap=True)


def draw_cells(axes: Axes, cells: Sequence[Sequence[Rate | None]], columns: Sequence[str], rows: Sequence[str]) -> None:
    """Draw failure rates as a heat map: the darker, the more failed.

    Args:
        axes: The panel.
        cells: The failure rate of every cell, None where there are no runs, rows by columns.
        columns: The words below the columns.
        rows: The words beside the rows.
    """
    rates = np.array([[np.nan if rate is None else rate.value for rate in row] for row in cells])
    labels = np.array([["" if rate is None else _count(rate) for rate in row] for row in cells], dtype=object)
    look = {"cmap": COLOURS, "vmin": 0, "vmax": 1, "cbar": False, "linewidths": 1.5, "linecolor": "white"}
    ticks = {"xticklabels": columns, "yticklabels": rows}
    sns.heatmap(rates, ax=axes, mask=np.isnan(rates), annot=labels, fmt="", **look, **ticks)
    axes.set_facecolor(FAINT)
    for row, column in np.argwhere(np.isnan(rates)):  # cells without a colour, which seaborn does not annotate
        axes.text(column + 0.5, row + 0.5, labels[row, column], ha="center", va="center", color=INK)
    axes.tick_params(length=0, rotation=0)


def draw_scale(figure: Figure, panels: np.ndarray) -> None:
    """Draw the scale of all panels: seaborn's colour bar would belong to one of them.

    Args:
        figure: The figure.
        panels: Its panels, the first of which has cells.
    """
    first = panels.ravel()[0]
    bar = figure.colorbar(first.collections[0], ax=panels.ravel().tolist(), shrink=0.8, aspect=25, pad=0.01)
    bar.set_ticks([0, 0.5, 1], labels=["0%", "50%", "100%"])
    bar.set_label("failed")
    bar.outline.set_visible(False)


def _count(rate: Rate) -> str:
    """The number of failed runs of all; the signs ≥ and ? where it is not known of some."""
    if rate.unknown:
        return f"≥{rate.count}/{rate.total}" if rate.count else f"?/{rate.total}"
    return f"{rate.count}/{rate.total}"
