"""Where in the grid runs fail."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import methods
from ganbench.core.formatting import format_number
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.failure_cells import draw_cells, draw_scale
from ganbench.report.plotting.method_lines import failures_in_words
from ganbench.report.plotting.setting_panels import Levels, panel_title, rows_of, settings_of
from ganbench.report.plotting.style import describe, nothing

FIGURE = FigureInfo(
    title="Where runs fail",
    scope="study",
    order=1,
    caption=(
        "Each cell gives the number of failed runs, whatever the failure, out of all runs with this learning rate and"
        " number of training examples; the darker, the more failed. Below it stands how many did not fail and had not"
        " learned by their end; a cell is hatched where these are half or more. An empty cell was not run. The signs ≥"
        " and ? mark cells in which it is not known of every run whether it failed."
    ),
)


def draw(collected: Collected) -> Figure:
    """Heat map of failure rates, learning rate by number of examples, one panel per method."""
    runs, names = collected.runs, methods(collected)
    levels = {name: Levels.of(runs[runs["method"] == name]) for name in names}
    if all(len(each.n_train) == 1 for each in levels.values()):
        return nothing(
            "No method was run with several numbers of examples: the figure of how runs ended has the counts."
        )
    chunks = rows_of(names)
    columns = len(chunks[0])
    rows = [max(len(levels[name].n_train) for name in chunk) for chunk in chunks]
    widest = max(len(each.learning_rate) for each in levels.values())
    width = max(9.6 / max(columns, 2), 0.75 * widest + 1.1)
    height = sum(0.42 * row + 0.95 for row in rows) + 0.4
    figure = Figure(figsize=(width * columns + 0.6, height), layout="constrained")
    panels = figure.subplots(len(chunks), columns, squeeze=False, gridspec_kw={"height_ratios": [r + 1 for r in rows]})
    for index, axes in enumerate(panels.flat):
        if index >= len(names):
            axes.set_axis_off()
            continue
        name = names[index]
        cells: list[list[pd.DataFrame | None]] = [
            [None] * len(levels[name].learning_rate) for _ in levels[name].n_train
        ]
        for (row, column), _, mine in settings_of(runs[runs["method"] == name]):
            cells[row][column] = mine if len(mine) else None
        rows_in_words = [format_number(count) for count in levels[name].n_train]
        draw_cells(axes, cells, levels[name].rate_words, rows_in_words)
        panel_title(axes, name)
        axes.set(xlabel="learning rate", ylabel="" if index % columns else "training examples")
    draw_scale(figure, panels)
    describe(figure, (f"{name}: {failures_in_words(runs[runs['method'] == name])}" for name in names))
    return figure
