"""Basins of attraction: the fixed point that each starting point of a plane converges to."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_percent
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs, values_by_run
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import legend_below, panel_blocks
from ganbench.report.plotting.planes import fixed_points, frame_plane, kind_handles
from ganbench.report.plotting.style import nothing
from ganbench.report.run_selection import run_panels

FIGURE = FigureInfo(
    title="Basins of attraction",
    scope="experiment",
    diagnostic="basins",
    caption=(
        "Every point of the plane is a starting point, played with the run's own method and coloured by the outcome:"
        " convergence to a fixed point (one colour for each), no convergence yet, or divergence. The title gives the"
        " share of starting points that converged."
    ),
)

DIVERGED, MOVING = -1, -2
AWAY, STILL = "#f3c6a8", "#dfe3e6"
PALETTE = ["#4c9f92", "#5f8fc0", "#c9a441", "#9a7fb8", "#6fae5f", "#b5748f"]


def draw(collected: Collected, experiment: str) -> Figure:
    """One picture of labels per run."""
    shown = arrays_of_runs(collected, experiment, ("labels", "x", "y"))
    if not shown:
        return nothing(f"{experiment}: no run has basins of attraction.")
    titles, left = run_panels(shown, ("labels",))
    table = values_by_run(collected, experiment)
    settled = dict(table["converged_share"]) if "converged_share" in table else {}
    heads = []
    for name, result in titles.items():
        share = float(settled.get(result.run["run"], np.nan))
        heads.append(f"{name}\n{format_percent(share)} converge" if np.isfinite(share) else name)
    figure, blocks = panel_blocks(heads, width=2.5, height=2.25)
    kinds, labels = set(), set()
    for (axes,), result in zip(blocks, titles.values(), strict=True):
        labels |= _picture(axes, result)
        fixed = [result.arrays.get(name, np.zeros(0)) for name in ("fixed_x", "fixed_y", "fixed_kind")]
        kinds |= fixed_points(axes, *fixed)
        axes.set_xlabel("first player", labelpad=1)
        axes.set_ylabel("second player", labelpad=1)
    handles = [Patch(color=PALETTE[0], label="converges to a fixed point")] if max(labels) >= 0 else []
    handles += [Patch(color=STILL, label="not converged")] if MOVING in labels else []
    handles += [Patch(color=AWAY, label="diverges")] if DIVERGED in labels else []
    legend_below(figure, [*handles, *kind_handles(kinds)], left)
    return figure


def _picture(axes: Axes, result: DiagnosticArrays) -> set[int]:
    labels, x, y = (result.arrays[name] for name in ("labels", "x", "y"))
    labels = np.where(np.isfinite(labels), labels, MOVING).astype(int)
    found = sorted(set(labels[labels >= 0].tolist()))
    # Fixed points without a basin use up no colour.
    order = {DIVERGED: 0, MOVING: 1} | {label: 2 + index % len(PALETTE) for index, label in enumerate(found)}
    picture = np.vectorize(order.__getitem__, otypes=[int])(labels)
    half = (x[1] - x[0]) / 2 if len(x) > 1 else 0.5
    axes.imshow(
        picture,
        cmap=ListedColormap([AWAY, STILL, *PALETTE]),
        vmin=-0.5,
        vmax=1.5 + len(PALETTE),
        origin="lower",
        extent=(x[0] - half, x[-1] + half, y[0] - half, y[-1] + half),
        interpolation="none",
    )
    frame_plane(axes, x, y)
    return set(labels.ravel().tolist())
