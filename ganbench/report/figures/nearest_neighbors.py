"""Samples with the training examples that they are most like, and how few of these all samples are near to."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import plural
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs, values_by_run
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import leftmost, legend_below, panel_blocks
from ganbench.report.plotting.image_strips import row_of_images
from ganbench.report.plotting.style import PLAYER_COLOURS, QUIET, REFERENCE, nothing, plain_ticks
from ganbench.report.run_selection import run_panels

FIGURE = FigureInfo(
    title="Nearest neighbours of samples",
    scope="experiment",
    diagnostic="nearest_neighbors",
    caption=(
        "Above, samples of the last snapshot over the training examples that are nearest to them, the nearest one"
        " first, and over the nearest held-out example, which no run has seen, in the features of the data set's"
        " judge. Copies look like the second row and unlike the last. Below, the share of all samples whose nearest"
        " training example is one of the most frequent ones: the faster a line rises, the fewer training examples the"
        " samples are like. The dashed line is 95%. Held-out examples, real ones, show what the data themselves do."
    ),
)

SIDE_BY_SIDE = 3  # runs
APART = 0.25  # between samples, training examples and held-out ones, of the height of an image
LINES = {
    "covered": (PLAYER_COLOURS["generator_loss"], "samples"),
    "heldout_covered": (QUIET, "held-out examples"),
}


def draw(collected: Collected, experiment: str) -> Figure:
    """Pictures and a curve for each run."""
    shown = arrays_of_runs(collected, experiment, ("generated", "covered"))
    if not shown:
        return nothing(f"{experiment}: no run has samples at its last snapshot.")
    titles, left = run_panels(shown, ("generated",))
    table = values_by_run(collected, experiment)
    heads = [f"{name}\n{_number(table, result)}" for name, result in titles.items()]
    figure, blocks = panel_blocks(heads, width=3.1, height=1.95, rows=(1.0, 0.55), most=SIDE_BY_SIDE)
    for (pictures, curve), result in zip(blocks, titles.values(), strict=True):
        _pictures(pictures, result.arrays)
        _curve(curve, result.arrays)
    for pictures, curve in leftmost(blocks, SIDE_BY_SIDE):
        pictures.tick_params(labelleft=True)
        curve.set_ylabel("share covered")
    handles = [Line2D([], [], color=colour, label=label) for colour, label in LINES.values()]
    legend_below(figure, handles, left)
    return figure


def _number(table: pd.DataFrame, result: DiagnosticArrays) -> str:
    count = int(table.loc[result.run["run"], "covering_features"])
    return f"95% near {plural(count, 'training example')}"


def _pictures(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    """Rows of images: samples, their neighbours in training by rank, and the nearest held-out ones."""
    generated, training, heldout = (arrays[name] for name in ("generated", "training", "heldout"))
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.tick_params(length=0, labelleft=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if generated.ndim != 4:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no picture of such examples", ha="center", color=QUIET, transform=axes.transAxes)
        return
    count = training.shape[1]
    rows = [(generated, 0.0, "sample")]
    rows += [(training[:, rank], 1 + APART + rank, f"train {rank + 1}") for rank in range(count)]
    rows += [(heldout, 1 + count + 2 * APART, "held out")]
    for images, top, _ in rows:
        row_of_images(axes, images, top)
    axes.set_yticks([top + 0.5 for _, top, _ in rows], [name for _, _, name in rows], fontsize=7)
    axes.set(xlim=(0, len(generated)), ylim=(rows[-1][1] + 1, 0), aspect="equal", anchor="NW")


def _curve(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    """The share of samples that the most frequent neighbours cover."""
    for name, (colour, _) in LINES.items():
        shares = arrays[name]
        axes.plot(np.arange(1, len(shares) + 1), shares, color=colour, linewidth=1.4)
    axes.axhline(0.95, **REFERENCE)
    axes.set(xscale="log", ylim=(0, 1.05), xlabel="training examples")
    plain_ticks(axes, "x")
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
