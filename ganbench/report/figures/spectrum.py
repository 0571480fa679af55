"""Eigenvalues of the flow: whether it settles, turns or leaves."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.report.figures.looks import (
    Look,
    by_method,
    distinct,
    few,
    legend,
    looks,
    outer,
    panels,
    rate_handles,
    tones,
)
from ganbench.report.figures.style import BAD, FAINT, QUIET, nothing, plain_ticks, title

CAPTION = (
    "Eigenvalues of -J, the Jacobian of the motion, one dot each. Left of the line their modes shrink, in the shaded"
    " half they grow; the further from the horizontal axis, the faster they turn. A pure rotation lies on the line."
    " Runs with the same eigenvalues are shown once."
)

ARRAYS = ("eigenvalues_real", "eigenvalues_imag")


def draw(collected: Collected, experiment: str) -> Figure:
    """The complex plane, one panel per method."""
    shown = looks(collected, experiment, ARRAYS)
    if not shown:
        return nothing(f"{experiment}: no run has eigenvalues.")
    groups, left = few(by_method(distinct(shown, ARRAYS)))
    colours = tones(groups)
    figure, blocks = panels(list(groups), width=2.5, height=2.1)
    for (axes,), mine in zip(blocks, groups.values(), strict=True):
        _plane(axes, mine, colours)
        axes.set_xlabel("real part", labelpad=1)
    for (axes,) in outer(blocks):
        axes.set_ylabel("imaginary part")
    legend(figure, rate_handles(colours), left)
    title(figure, f"{experiment}: eigenvalues of the flow")
    return figure


def _plane(axes: Axes, shown: list[Look], colours: dict[float, str]) -> None:
    reals, imags = [], []
    for look in shown:
        real, imag = (look.arrays[name].astype(np.float64) for name in ARRAYS)
        good = np.isfinite(real) & np.isfinite(imag)
        reals.append(real[good])
        imags.append(imag[good])
        axes.plot(
            real[good],
            imag[good],
            color=colours[float(look.run["learning_rate"])],
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
    # Both axes show zero, and neither is blown up to show rounding.
    across, up = max(np.abs(real).max(initial=0), 0.15 * size), max(np.abs(imag).max(initial=0), 0.15 * size)
    low = -1.25 * max(-real.min(initial=0), 0.35 * across)
    axes.set(xlim=(low, 1.25 * max(real.max(initial=0), 0.35 * across)), ylim=(-1.25 * up, 1.25 * up))
    axes.axvspan(0, axes.get_xlim()[1], color=BAD, alpha=0.06, linewidth=0, zorder=0)
    axes.axvline(0, color=QUIET, linewidth=1.0, zorder=1)
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
    axes.grid(visible=False)
    for which in "xy":
        plain_ticks(axes, which, count=4)
