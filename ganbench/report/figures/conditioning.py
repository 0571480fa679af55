"""Condition numbers and ignored latent directions of generators over training."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

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
from ganbench.report.plotting.style import nothing, plain_ticks
from ganbench.report.run_selection import by_method, limit_curves, limit_methods

FIGURE = FigureInfo(
    title="Conditioning of the generator",
    scope="experiment",
    diagnostic="conditioning",
    caption=(
        "Above, the natural logarithm of the condition number of J'J over training, one line per run, with J the"
        " Jacobian of the generator, mean over latent points: 0 if the generator stretches all latent directions alike."
        " Below, the share of latent directions that it ignores, which the condition number leaves out."
    ),
)


def draw(collected: Collected, experiment: str) -> Figure:
    """Both numbers over steps, two panels per method."""
    shown = arrays_of_runs(collected, experiment, ("steps", "singular_share"))
    if not shown:
        return nothing(f"{experiment}: no run has a Jacobian of its generator.")
    groups, left = limit_methods(by_method(shown))
    colours = learning_rate_colours(groups)
    figure, blocks = panel_blocks(list(groups), width=2.6, height=1.6, rows=(1.0, 0.6))
    steps = np.concatenate([result.arrays["steps"] for result in shown])
    for panels, mine in zip(blocks, groups.values(), strict=True):
        for axes, name in zip(panels, ("log_condition", "singular_share"), strict=True):
            for result in limit_curves(mine):
                line_over_steps(axes, result, name, colours)
            if log_spaced(steps):
                axes.set_xscale("symlog", linthresh=steps[steps > 0].min(), linscale=0.5)
            plain_ticks(axes, "x", count=3)
            plain_ticks(axes, "y", count=4)
        condition, share = panels
        condition.set_ylim(bottom=0)
        share.set(ylim=(-0.05, 1.05), xlabel="training step")
        share.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    for condition, share in leftmost(blocks):
        condition.set_ylabel("log condition")
        share.set_ylabel("singular")
    legend_below(figure, learning_rate_handles(colours), left)
    return figure
