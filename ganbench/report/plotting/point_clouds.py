"""Clouds of generated points of the plane, one panel per snapshot, over the real points."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.core.formatting import format_number
from ganbench.report.plotting.run_samples import MAX_SNAPSHOTS, REAL_COLOUR, RunSamples, note_omitted
from ganbench.report.plotting.style import FAINT, PLAYER_COLOURS, heading


def draw(shown: list[RunSamples], real: np.ndarray) -> Figure:
    """One row of panels per run.

    Args:
        shown: runs with samples of shape (S, n, 2).
        real: real points, shape (n, 2).
    """
    columns = min(MAX_SNAPSHOTS, max(len(run.steps) for run in shown))
    figure = Figure(figsize=(max(5.5, 1.6 * columns), 2.05 * len(shown) + 0.35), layout="constrained")
    panels = figure.subplots(len(shown), columns, squeeze=False)
    for row, run in zip(panels, shown, strict=True):
        heading(row[0], " · ".join(run.lines), above=17, bold=False)
        kept = np.unique(np.linspace(0, len(run.steps) - 1, min(len(run.steps), columns)).round().astype(int))
        for index, axes in enumerate(row):
            if index >= len(kept):
                axes.set_axis_off()
                continue
            cloud(axes, run.samples[kept[index]], real)
            axes.set_title(f"step {format_number(run.steps[kept[index]])}", fontsize=8)
    return figure


def cloud(axes: Axes, samples: np.ndarray, real: np.ndarray) -> None:
    """Draw generated points over real ones, in a window around the real ones.

    Args:
        axes: the panel.
        samples: generated points, shape (n, 2).
        real: real points, shape (m, 2).
    """
    centre = (real.min(axis=0) + real.max(axis=0)) / 2
    reach = 0.65 * float(np.ptp(real, axis=0).max())
    low, high = centre - reach, centre + reach
    known = samples[np.isfinite(samples).all(axis=1)]
    inside = ((known >= low) & (known <= high)).all(axis=1)
    # Thousands of points as shapes would make the file large: they are drawn as pixels, text and frame are not.
    axes.scatter(*real.T, s=5, color=REAL_COLOUR, linewidths=0, rasterized=True)
    axes.scatter(
        *known[inside].T, s=5, color=PLAYER_COLOURS["generator_loss"], alpha=0.6, linewidths=0, rasterized=True
    )
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color=FAINT)
    note_omitted(axes, int((~inside).sum()), len(samples), len(samples) - len(known))
