"""Vector fields in random planes through the parameters of a larger game."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_number
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs, values_by_run
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import leftmost, legend_below, panel_blocks
from ganbench.report.plotting.planes import colour_bar, frame_plane, streams
from ganbench.report.plotting.style import nothing
from ganbench.report.run_selection import run_panels

FIGURE = FigureInfo(
    title="Slices through parameter space",
    scope="experiment",
    diagnostic="slices",
    caption=(
        "The component of the vector field within a plane of two random directions of parameter space, darker where"
        " it is larger. The title gives the qualitative behaviour and the share of the squared field that lies within"
        " the plane. If that share is small, the slice says little about training."
    ),
)

ARRAYS = ("x", "y", "u", "v")
SHARE, TOPOLOGY = "in_plane_share", "topology"
TOPOLOGIES = {0: "diverges", 1: "fixed point", 2: "cycle"}


def draw(collected: Collected, experiment: str) -> Figure:
    """Streamlines, one panel per run."""
    shown = arrays_of_runs(collected, experiment, ARRAYS)
    if not shown:
        return nothing(f"{experiment}: no run has a slice with finite values.")
    titles, left = run_panels(shown, ("u", "v"))
    table = values_by_run(collected, experiment)
    heads = ["\n".join([name, _describe(table, result)]) for name, result in titles.items()]
    figure, blocks = panel_blocks(heads, width=2.4, height=2.15)
    drawn = None
    for (axes,), result in zip(blocks, titles.values(), strict=True):
        x, y, u, v = (result.arrays[name] for name in ARRAYS)
        drawn = streams(axes, x, y, u, v)
        frame_plane(axes, x, y)
        axes.set_xlabel("first direction", labelpad=1)
    for (axes,) in leftmost(blocks):
        axes.set_ylabel("second direction")
    colour_bar(figure, drawn, blocks, "norm, relative to the panel's largest").set_ticks(
        [0, 1], labels=["small", "large"]
    )
    legend_below(figure, [], left)
    return figure


def _describe(table: pd.DataFrame, result: DiagnosticArrays) -> str:
    """Qualitative behaviour of a slice, and the share of the squared field within its plane."""
    row = table.loc[result.run["run"]] if result.run["run"] in table.index else pd.Series(dtype=float)
    topology, share = row.get(TOPOLOGY, np.nan), row.get(SHARE, np.nan)
    words = [TOPOLOGIES.get(int(topology), "")] if np.isfinite(topology) else []
    words += [f"{format_number(100 * share)}% in plane"] if np.isfinite(share) else []
    return ", ".join(words)
