"""Generated examples on a grid of latent points."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_number
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs, values_by_run
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import legend_below, panel_blocks
from ganbench.report.plotting.image_strips import tiles
from ganbench.report.plotting.style import BAD, PLAYER_COLOURS, nothing
from ganbench.report.run_selection import run_panels

FIGURE = FigureInfo(
    title="Examples on a grid of latent points",
    scope="experiment",
    diagnostic="latent_grid",
    caption=(
        "Neighbouring examples have neighbouring latent points; a path of lines or arcs has one of them in each row. A"
        " line is drawn between neighbours that the judge assigns to different classes. The title gives the largest"
        " step between neighbours over the median one, and the number of classes that the judge is certain of"
        " somewhere. Examples in the plane are the nodes of a mesh, whose lines join neighbours."
    ),
)

PANELS = 6  # a picture has hundreds of examples
GAP = 1  # pixels between images
NUMBERS = {"step_ratio": "largest step / median", "classes_found": "classes"}


def draw(collected: Collected, experiment: str) -> Figure:
    """One panel per run: its examples as one picture, or as a mesh in the plane."""
    shown = [each for each in arrays_of_runs(collected, experiment, ("pictures",)) if _drawable(each)]
    if not shown:
        return nothing(f"{experiment}: no run has images, or points of a plane, on a grid of latent points.")
    titles, left = run_panels(shown, ("pictures",))
    if len(titles) > PANELS:
        left = f"{PANELS} of {len(shown)} runs are shown, the first of those that look different."
        titles = dict(list(titles.items())[:PANELS])
    table = values_by_run(collected, experiment)
    heads = ["\n".join(filter(None, [name, _describe(table, result)])) for name, result in titles.items()]
    figure, blocks = panel_blocks(heads, width=3.6, height=3.5, most=3)
    for (axes,), result in zip(blocks, titles.values(), strict=True):
        pictures, classes = result.arrays["pictures"], result.arrays["classes"]
        if pictures.ndim == 5:
            _images(axes, pictures, classes)
        else:
            _mesh(axes, pictures)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
    legend_below(figure, [], left)
    return figure


def _drawable(result: DiagnosticArrays) -> bool:
    shape = result.arrays["pictures"].shape
    return len(shape) == 5 or shape[2:] == (2,)


def _images(axes: Axes, pictures: np.ndarray, classes: np.ndarray) -> None:
    """The examples as one picture, with lines where the class changes."""
    rows, columns = classes.shape
    axes.imshow(tiles(pictures, GAP), extent=(0, columns, rows, 0), interpolation="none", aspect="equal")
    axes.add_collection(LineCollection(borders(classes), colors=BAD, linewidths=1.0))


def borders(classes: np.ndarray) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The edges between neighbours of different classes, each by its two ends (x, y), in cells from the upper left."""
    beside = [((x + 1, y), (x + 1, y + 1)) for y, x in np.argwhere(np.diff(classes, axis=1) != 0).tolist()]
    below = [((x, y + 1), (x + 1, y + 1)) for y, x in np.argwhere(np.diff(classes, axis=0) != 0).tolist()]
    return beside + below


def _mesh(axes: Axes, points: np.ndarray) -> None:
    """Points of the plane, joined along rows and columns."""
    lines = [*points, *points.swapaxes(0, 1)]
    axes.add_collection(LineCollection(lines, colors=PLAYER_COLOURS["generator_loss"], linewidths=0.6))
    axes.autoscale_view()
    axes.set_aspect("equal")


def _describe(table: pd.DataFrame, result: DiagnosticArrays) -> str:
    row = table.loc[result.run["run"]] if result.run["run"] in table.index else pd.Series(dtype=float)
    known = {name: row.get(name, np.nan) for name in NUMBERS}
    return ", ".join(f"{NUMBERS[name]} {format_number(value)}" for name, value in known.items() if np.isfinite(value))
