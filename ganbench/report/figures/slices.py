"""Random flat cuts through the parameters of a larger game."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_number
from ganbench.report.figures.looks import Look, legend, looks, outer, panels, readings, singles
from ganbench.report.figures.phase import colour_bar, frame_plane, streams
from ganbench.report.figures.style import nothing, title

CAPTION = (
    "The motion in two random directions of parameter space, as if nothing moved out of the plane; darker where it is"
    " faster. The title says what it looks like, and what share of the squared motion lies in the plane at all: where"
    " that is small, the picture says next to nothing about training."
)

ARRAYS = ("x", "y", "u", "v")
SHARE, TOPOLOGY = "in_plane_share", "topology"
TOPOLOGIES = {0: "runs off", 1: "rests", 2: "cycles"}


def draw(collected: Collected, experiment: str) -> Figure:
    """Streamlines, one panel per run."""
    shown = looks(collected, experiment, ARRAYS)
    if not shown:
        return nothing(f"{experiment}: no run left a slice that is a number anywhere.")
    titles, left = singles(shown, ("u", "v"))
    table = readings(collected, experiment)
    heads = ["\n".join([name, _seen(table, look)]) for name, look in titles.items()]
    figure, blocks = panels(heads, width=2.4, height=2.15)
    drawn = None
    for (axes,), look in zip(blocks, titles.values(), strict=True):
        x, y, u, v = (look.arrays[name] for name in ARRAYS)
        drawn = streams(axes, x, y, u, v)
        frame_plane(axes, x, y)
        axes.set_xlabel("first direction", labelpad=1)
    for (axes,) in outer(blocks):
        axes.set_ylabel("second direction")
    colour_bar(figure, drawn, blocks, "speed, of the panel's largest").set_ticks([0, 1], labels=["slow", "fast"])
    legend(figure, [], left)
    title(figure, f"{experiment}: cuts through parameter space")
    return figure


def _seen(table: pd.DataFrame, look: Look) -> str:
    """What a slice looks like, and how much it shows."""
    row = table.loc[look.run["run"]] if look.run["run"] in table.index else pd.Series(dtype=float)
    topology, share = row.get(TOPOLOGY, np.nan), row.get(SHARE, np.nan)
    words = [TOPOLOGIES.get(int(topology), "")] if np.isfinite(topology) else []
    words += [f"{format_number(100 * share)}% in plane"] if np.isfinite(share) else []
    return ", ".join(words)
