"""Share of rotation in the vector field along the trajectory of training."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.report.diagnostic_results import arrays_of_runs
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import (
    learning_rate_colours,
    learning_rate_handles,
    leftmost,
    legend_below,
    line_over_steps,
    panel_blocks,
)
from ganbench.report.plotting.step_axis import log_spaced
from ganbench.report.plotting.style import QUIET, nothing, plain_ticks
from ganbench.report.run_selection import by_method, limit_curves, limit_methods

FIGURE = FigureInfo(
    title="Rotation of the vector field",
    scope="experiment",
    diagnostic="rotation",
    caption=(
        "The rotation share of the Jacobian over training, one line per run: 0 if the vector field is the gradient of"
        " a single function, 1 if it is a pure rotation. Dashed: the turning share, the same quantity along the"
        " direction of the flow."
    ),
)

DASHED = (0, (3, 2))


def draw(collected: Collected, experiment: str) -> Figure:
    """Shares over steps, one panel per method."""
    shown = arrays_of_runs(collected, experiment, ("steps", "rotation_share"))
    if not shown:
        return nothing(f"{experiment}: no run has a rotation share.")
    groups, left = limit_methods(by_method(shown))
    colours = learning_rate_colours(groups)
    figure, blocks = panel_blocks(list(groups), width=2.6, height=1.6)
    steps = np.concatenate([result.arrays["steps"] for result in shown])
    for (axes,), mine in zip(blocks, groups.values(), strict=True):
        for result in limit_curves(mine):
            line_over_steps(axes, result, "rotation_share", colours)
            line_over_steps(axes, result, "turning_share", colours, DASHED, 1.0)
        if log_spaced(steps):
            axes.set_xscale("symlog", linthresh=steps[steps > 0].min(), linscale=0.5)
        axes.set(ylim=(-0.05, 1.05), xlabel="training step")
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        plain_ticks(axes, "x", count=3)
    for (axes,) in leftmost(blocks):
        axes.set_ylabel("share")
    handles = [
        Line2D([], [], color=QUIET, linewidth=1.4, label="rotation share"),
        Line2D([], [], color=QUIET, linewidth=1.2, linestyle=DASHED, label="turning share"),
    ]
    legend_below(figure, [*learning_rate_handles(colours), *handles], left)
    return figure
