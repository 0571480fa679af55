"""How far resumed training drifts from training without a stop, by what was saved."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_number
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import leftmost, legend_below, panel_blocks
from ganbench.report.plotting.method_lines import COLOURS
from ganbench.report.plotting.style import INK, nothing, plain_ticks
from ganbench.report.run_selection import by_method, limit_methods

FIGURE = FigureInfo(
    title="Drift of resumed training",
    scope="experiment",
    diagnostic="resuming",
    caption=(
        "Training is stopped and resumed with a part of its state; the axis counts the steps since. Lines show the"
        " distance of its parameters from those of uninterrupted training, divided by the distance that the latter"
        " covered, as the median over the runs of a method."
        " The axis is linear below 0.01; 0 means that the resumed training is the same, and lines of equal drifts cover"
        " one another."
    ),
)

LINEAR = 0.01  # drift up to which the axis is linear
LINES = {
    "weights": ("the weights alone", {"color": COLOURS[1], "linewidth": 3.0}),
    "weights_optimizer": ("weights and optimizer state", {"color": COLOURS[0], "linewidth": 2.2}),
    "without_optimizer": ("all but the optimizer state", {"color": COLOURS[2], "linewidth": 1.5}),
    "without_streams": ("all but random streams", {"color": COLOURS[3], "linewidth": 1.5, "linestyle": (0, (5, 2))}),
    "without_buffers": ("all but buffers", {"color": COLOURS[5], "linewidth": 1.5, "linestyle": (0, (1.5, 1.5))}),
    "complete": ("everything", {"color": INK, "linewidth": 1.0}),
}


def draw(collected: Collected, experiment: str) -> Figure:
    """Drifts over the steps since the stop, one panel per method."""
    shown = arrays_of_runs(collected, experiment, ("steps", *LINES))
    if not shown:
        return nothing(f"{experiment}: no run has a drift; none was trained by a step.")
    groups, left = limit_methods(by_method(shown))
    figure, blocks = panel_blocks(list(groups), width=2.6, height=1.9)
    for (axes,), mine in zip(blocks, groups.values(), strict=True):
        _lines(axes, mine)
        axes.set_xlabel("steps since the stop", labelpad=1)
    top = max(axes.dataLim.y1 for (axes,) in blocks)
    for (axes,) in blocks:
        axes.set_yscale("symlog", linthresh=LINEAR, linscale=0.6)
        axes.set_ylim(-0.1 * LINEAR, max(1.5 * top, 2 * LINEAR))
        plain_ticks(axes, "x", count=3)
        ticks = [tick for tick in (0, LINEAR, 0.1, 1, 10) if tick < axes.get_ylim()[1]]
        axes.set_yticks(ticks, map(format_number, ticks))
    for (axes,) in leftmost(blocks):
        axes.set_ylabel("drift")
    handles = [Line2D([], [], label=words, **style) for words, style in LINES.values()]
    legend_below(figure, handles, left)
    return figure


def _lines(axes: Axes, runs: list[DiagnosticArrays]) -> None:
    for name, (_, style) in LINES.items():
        drifts = np.stack([result.arrays[name] for result in runs])
        known = drifts[np.isfinite(drifts).all(1)]
        if len(known):
            axes.plot(runs[0].arrays["steps"], np.median(known, axis=0), **style)
