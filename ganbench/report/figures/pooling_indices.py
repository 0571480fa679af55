"""Generated images by latent point and by the real image that the generator's pooling indices are of."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_p_value, format_percent
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs, values_by_run
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import leftmost, legend_below, panel_blocks
from ganbench.report.plotting.image_strips import row_of_images
from ganbench.report.plotting.style import nothing
from ganbench.report.run_selection import run_panels

FIGURE = FigureInfo(
    title="What pooling indices do to examples",
    scope="experiment",
    diagnostic="pooling_indices",
    caption=(
        "The first row has real images. Below, every column has generated images with the pooling indices of the real"
        " image above it, and every row those of one latent point. Columns that differ, and rows that do not, are due"
        " to the indices; a column that looks like its real image says that indices carry it along. Titles give the"
        " share of the variance due to the indices alone, and the p-value of whether examples are nearer to the image"
        " of their indices than to those of others."
    ),
)

SIDE_BY_SIDE = 3  # runs
APART = 0.25  # of the height of an image, between real images and generated ones


def draw(collected: Collected, experiment: str) -> Figure:
    """One matrix of images per run."""
    shown = arrays_of_runs(collected, experiment, ("examples", "images"))
    if not shown:
        return nothing(f"{experiment}: no run has examples at its last snapshot.")
    titles, left = run_panels(shown, ("examples",))
    table = values_by_run(collected, experiment)
    heads = [f"{name}\n{_numbers(table, result)}" for name, result in titles.items()]
    figure, blocks = panel_blocks(heads, width=3.1, height=3.0, most=SIDE_BY_SIDE)
    for (axes,), result in zip(blocks, titles.values(), strict=True):
        _matrix(axes, result.arrays["images"], result.arrays["examples"])
    for (axes,) in leftmost(blocks, SIDE_BY_SIDE):
        axes.set_ylabel("latent points")
    legend_below(figure, [], left)
    return figure


def _numbers(table: pd.DataFrame, result: DiagnosticArrays) -> str:
    mine = table.loc[result.run["run"]]
    share, p_value = float(mine["indices_share"]), format_p_value(float(mine["source_p_value"]))
    return f"{format_percent(share)} due to indices; {p_value}"


def _matrix(axes: Axes, images: np.ndarray, examples: np.ndarray) -> None:
    row_of_images(axes, images, 0.0)
    for row, made in enumerate(examples):
        row_of_images(axes, made, 1 + APART + row)
    axes.set(xlim=(0, len(images)), ylim=(1 + APART + len(examples), 0), aspect="equal", anchor="NW")
    axes.set_xticks([])
    axes.set_yticks([0.5], ["real"])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
