"""Histograms of generated points on a line, one panel per snapshot, over the real ones."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.core.formatting import format_number
from ganbench.report.plotting.run_samples import MAX_SNAPSHOTS, REAL_COLOUR, RunSamples, note_omitted
from ganbench.report.plotting.style import FAINT, PLAYER_COLOURS, heading, plain_ticks

BINS = 40


def draw(shown: list[RunSamples], real: np.ndarray) -> Figure:
    """One row of panels per run.

    Args:
        shown: runs with samples of shape (S, n, 1).
        real: real points, shape (n, 1).
    """
    columns = min(MAX_SNAPSHOTS, max(len(run.steps) for run in shown))
    figure = Figure(figsize=(max(5.5, 1.7 * columns), 1.9 * len(shown) + 0.35), layout="constrained")
    panels = figure.subplots(len(shown), columns, squeeze=False)
    for row, run in zip(panels, shown, strict=True):
        heading(row[0], " · ".join(run.lines), above=17, bold=False)
        kept = np.unique(np.linspace(0, len(run.steps) - 1, min(len(run.steps), columns)).round().astype(int))
        for index, axes in enumerate(row):
            if index >= len(kept):
                axes.set_axis_off()
                continue
            density(axes, run.samples[kept[index]][:, 0], real[:, 0])
            axes.set_title(f"step {format_number(run.steps[kept[index]])}", fontsize=8)
    return figure


def density(axes: Axes, samples: np.ndarray, real: np.ndarray) -> None:
    """Draw the densities of generated and of real points of a line, in a window around the real ones.

    Args:
        axes: the panel.
        samples: generated points, shape (n,).
        real: real points, shape (m,).
    """
    room = 0.35 * max(float(np.ptp(real)), 1e-12)
    edges = np.linspace(real.min() - room, real.max() + room, BINS + 1)
    known = samples[np.isfinite(samples)]
    inside = (known >= edges[0]) & (known <= edges[-1])
    width, middle = edges[1] - edges[0], (edges[:-1] + edges[1:]) / 2
    expected = np.histogram(real, edges)[0] / (len(real) * width)
    axes.fill_between(middle, expected, step="mid", color=REAL_COLOUR, linewidth=0)
    made = np.histogram(known[inside], edges)[0] / (max(len(samples), 1) * width)
    axes.step(middle, made, where="mid", color=PLAYER_COLOURS["generator_loss"], linewidth=1.3)
    # A collapsed generator is a needle; the panel is as tall as the real examples need.
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 2.2 * expected.max()))
    axes.set_yticks([])
    plain_ticks(axes, "x", count=3)
    axes.grid(visible=False)
    axes.spines["left"].set_color(FAINT)
    note_omitted(axes, int((~inside).sum()), len(samples), len(samples) - len(known))
