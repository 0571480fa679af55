"""Angle between the simultaneous gradient and the straight path from start to end of training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import (
    learning_rate_colours,
    learning_rate_handles,
    leftmost,
    legend_below,
    log_length_scale,
    panel_blocks,
)
from ganbench.report.plotting.style import FAINT, QUIET, nothing
from ganbench.report.run_selection import by_method, limit_curves, limit_methods

FIGURE = FigureInfo(
    title="Angle between gradient and path",
    scope="experiment",
    diagnostic="path_angle",
    caption=(
        "Along the straight line from the start of a run (0) to its end (1) and a little beyond. Top: the cosine of"
        " the angle between the simultaneous gradient, which points uphill, and the line. Bottom: the norm of the"
        " simultaneous gradient. A jump of the cosine from -1 to 1 at the end indicates descent to a minimum; a bump"
        " around 0 indicates rotation."
    ),
)


def draw(collected: Collected, experiment: str) -> Figure:
    """Cosine and norm over alpha: one block of two panels per method."""
    shown = arrays_of_runs(collected, experiment, ("alpha", "cosine"))
    if not shown:
        return nothing(f"{experiment}: no run has a path from start to end; it diverged, or ended where it began.")
    groups, left = limit_methods(by_method(shown))
    colours = learning_rate_colours(groups)
    figure, blocks = panel_blocks(list(groups), width=2.6, height=1.7, rows=(1.0, 0.7))
    for block, mine in zip(blocks, groups.values(), strict=True):
        _lines(block[0], limit_curves(mine), "cosine", colours)
        block[0].set(ylim=(-1.08, 1.08))
        block[0].set_yticks([-1, 0, 1], ["-1", "0", "1"])
        block[0].tick_params(labelbottom=False)
        _lines(block[1], limit_curves(mine), "norm", colours)
        block[1].set_xlabel("position from start (0) to end (1)", labelpad=1)
        if block[1].lines:
            log_length_scale(block[1])
    for block in leftmost(blocks):
        block[0].set_ylabel("cosine")
        block[1].set_ylabel("gradient norm")
    legend_below(figure, learning_rate_handles(colours), left)
    return figure


def _lines(axes: Axes, shown: list[DiagnosticArrays], what: str, colours: dict[float, str]) -> None:
    axes.axvline(0, color=FAINT, linewidth=1.0, zorder=1)
    axes.axvline(1, color=QUIET, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    if what == "cosine":
        axes.axhline(0, color=QUIET, linewidth=0.8, zorder=1)
    low, high = 0.0, 1.0
    for result in shown:
        alpha = result.arrays["alpha"]
        values = np.asarray(result.arrays.get(what, np.full(len(alpha), np.nan)), dtype=np.float64)
        if what == "norm":
            values = np.where(values > 0, values, np.nan)
        low, high = min(low, float(alpha.min())), max(high, float(alpha.max()))
        if np.isfinite(values).any():
            colour = colours[float(result.run["learning_rate"])]
            axes.plot(alpha, values, color=colour, linewidth=1.1, alpha=0.85, zorder=3)
    axes.set_xlim(low, high)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
