"""How much of the field turns rather than descends, along the path of training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.report.figures.looks import (
    Look,
    by_method,
    few,
    legend,
    looks,
    outer,
    panels,
    rate_handles,
    thinned,
    tones,
)
from ganbench.report.figures.progress import log_spaced
from ganbench.report.figures.style import QUIET, nothing, plain_ticks, title

CAPTION = (
    "The rotation share over training, for every run: 0 where the field is the slope of one function, 1 where it only"
    " turns. Dashed, the turning share, the same in the direction in which the flow goes."
)

DASHED = (0, (3, 2))


def draw(collected: Collected, experiment: str) -> Figure:
    """Shares over steps, one panel per method."""
    shown = looks(collected, experiment, ("steps", "rotation_share"))
    if not shown:
        return nothing(f"{experiment}: no run has a rotation share.")
    groups, left = few(by_method(shown))
    colours = tones(groups)
    figure, blocks = panels(list(groups), width=2.6, height=1.6)
    steps = np.concatenate([look.arrays["steps"] for look in shown])
    for (axes,), mine in zip(blocks, groups.values(), strict=True):
        _lines(axes, thinned(mine), colours)
        if log_spaced(steps):
            axes.set_xscale("symlog", linthresh=steps[steps > 0].min(), linscale=0.5)
        axes.set(ylim=(-0.05, 1.05), xlabel="training step")
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        plain_ticks(axes, "x", count=3)
    for (axes,) in outer(blocks):
        axes.set_ylabel("share")
    handles = [
        Line2D([], [], color=QUIET, linewidth=1.4, label="rotation share"),
        Line2D([], [], color=QUIET, linewidth=1.2, linestyle=DASHED, label="turning share"),
    ]
    legend(figure, [*rate_handles(colours), *handles], left)
    title(figure, f"{experiment}: how much the field turns")
    return figure


def _lines(axes: Axes, shown: list[Look], colours: dict[float, str]) -> None:
    for look in shown:
        colour, steps = colours[float(look.run["learning_rate"])], look.arrays["steps"]
        for name, dashes, width in (("rotation_share", "-", 1.3), ("turning_share", DASHED, 1.0)):
            share = np.asarray(look.arrays.get(name, np.full(len(steps), np.nan)), dtype=np.float64)
            good = np.isfinite(share)
            marker = "o" if good.sum() == 1 else ""
            axes.plot(
                steps[good], share[good], color=colour, linestyle=dashes, linewidth=width, alpha=0.8, marker=marker
            )
