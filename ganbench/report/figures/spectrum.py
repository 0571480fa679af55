"""Eigenvalues of the flow at a point: whether its modes contract, rotate or grow."""

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
    panel_blocks,
)
from ganbench.report.plotting.style import BAD, FAINT, QUIET, nothing, plain_ticks
from ganbench.report.run_selection import by_method, distinct_runs, limit_methods

FIGURE = FigureInfo(
    title="Eigenvalues of the flow",
    scope="experiment",
    diagnostic="spectrum",
    caption=(
        "Eigenvalues of -J, where J is the Jacobian of the simultaneous gradient; one dot per eigenvalue. Modes left"
        " of the vertical line contract, modes in the shaded half-plane grow; the imaginary part is the angular"
        " frequency. The eigenvalues of a pure rotation lie on the line. Runs with identical eigenvalues are shown"
        " once."
    ),
)

ARRAYS = ("eigenvalues_real", "eigenvalues_imag")


def draw(collected: Collected, experiment: str) -> Figure:
    """The complex plane, one panel per method."""
    shown = arrays_of_runs(collected, experiment, ARRAYS)
    if not shown:
        return nothing(f"{experiment}: no run has eigenvalues.")
    groups, left = limit_methods(by_method(distinct_runs(shown, ARRAYS)))
    colours = learning_rate_colours(groups)
    figure, blocks = panel_blocks(list(groups), width=2.5, height=2.1)
    for (axes,), mine in zip(blocks, groups.values(), strict=True):
        _plane(axes, mine, colours)
        axes.set_xlabel("real part", labelpad=1)
    for (axes,) in leftmost(blocks):
        axes.set_ylabel("imaginary part")
    legend_below(figure, learning_rate_handles(colours), left)
    return figure


def _plane(axes: Axes, shown: list[DiagnosticArrays], colours: dict[float, str]) -> None:
    reals, imags = [], []
    for result in shown:
        real, imag = (result.arrays[name].astype(np.float64) for name in ARRAYS)
        good = np.isfinite(real) & np.isfinite(imag)
        reals.append(real[good])
        imags.append(imag[good])
        axes.plot(
            real[good],
            imag[good],
            color=colours[float(result.run["learning_rate"])],
            marker="o",
            linestyle="",
            markersize=6 if good.sum() < 10 else 3.5,
            markeredgecolor="white",
            markeredgewidth=0.4,
            alpha=0.85,
            zorder=3,
            rasterized=good.sum() > 100,
        )
    real, imag = np.concatenate(reals), np.concatenate(imags)
    size = max(np.abs(real).max(initial=0), np.abs(imag).max(initial=0), 1e-12)
    # Both axes show zero, and neither is enlarged to the size of rounding errors.
    across, up = max(np.abs(real).max(initial=0), 0.15 * size), max(np.abs(imag).max(initial=0), 0.15 * size)
    low = -1.25 * max(-real.min(initial=0), 0.35 * across)
    axes.set(xlim=(low, 1.25 * max(real.max(initial=0), 0.35 * across)), ylim=(-1.25 * up, 1.25 * up))
    axes.axvspan(0, axes.get_xlim()[1], color=BAD, alpha=0.06, linewidth=0, zorder=0)
    axes.axvline(0, color=QUIET, linewidth=1.0, zorder=1)
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
    axes.grid(visible=False)
    for which in "xy":
        plain_ticks(axes, which, count=4)
