"""Pairs of axes that were crossed: the share of failed runs at every combination of their values."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ganbench.analysis.axis_interactions import Crossing, crossings, interactions_table, value_in_words
from ganbench.analysis.collected import Collected
from ganbench.analysis.working_regions import axis_words
from ganbench.core.formatting import format_p_value
from ganbench.report.display_names import short_title
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.failure_cells import draw_cells, draw_scale
from ganbench.report.plotting.method_lines import data_title
from ganbench.report.plotting.style import describe, nothing

FIGURE = FigureInfo(
    title="Failures by pairs of axes",
    scope="study",
    order=1,
    caption=(
        "Every two axes of a data set that were run with one another, all else and the seed being equal. Each cell"
        " gives the number of failed runs out of all of this combination that count; the darker, the more failed."
        " Below it stands how many did not fail and had not learned by their end; a cell is hatched where these are at"
        " least half. Where axes do not depend on one another, the columns of a row differ as those of any other row."
        " The p-values are of the interaction, in failures and in the ranks of final scores, adjusted for all pairs of"
        " axes; two effects that add up on one scale may interact on another, for instance where no more than all runs"
        " can fail. The pairs with the smallest p-values come first."
    ),
)

MAX_PANELS = 6
WIDEST_WORDS = 24  # characters of a value in one line


def draw(collected: Collected) -> Figure:
    """Heat maps of failure rates, one panel per pair of axes."""
    table, found = interactions_table(collected), list(crossings(collected))
    if not found:
        return nothing("No two axes were run with one another at two values each, all else being equal.")
    p_values = table[["failure_p_value_adjusted", "rank_p_value_adjusted"]].min(axis=1)
    order = p_values.sort_values(kind="stable", na_position="last").index[:MAX_PANELS]
    columns = min(len(order), 2)
    rows = -(-len(order) // columns)
    tallest = max(found[index].shape[0] for index in order)
    figure = Figure(figsize=(5.2 * columns + 0.8, rows * (0.42 * tallest + 1.35) + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.ravel()[len(order) :]:
        axes.set_axis_off()
    seen = []
    for axes, index in zip(panels.ravel(), order, strict=False):
        crossing = found[index]
        words = [[_wrapped(value) for value in values] for values in crossing.values]
        draw_cells(axes, _cells(crossing), words[1], words[0])
        axes.set(xlabel=axis_words(crossing.axes[1]), ylabel=axis_words(crossing.axes[0]))
        tests = [
            f"{title} {format_p_value(table.loc[index, f'{question}_p_value_adjusted'])}"
            for question, title in (("failure", "failures"), ("rank", "ranks"))
        ]
        data_title(axes, crossing.dataset, ", ".join(tests))
        both = " by ".join(map(axis_words, crossing.axes))
        seen.append(f"{both} on {short_title(crossing.dataset)}: p-values of the interaction, {', '.join(tests)}")
    draw_scale(figure, panels)
    describe(figure, seen)
    return figure


def _cells(crossing: Crossing) -> list[list[pd.DataFrame]]:
    rows, columns = crossing.shape
    places = np.arange(len(crossing.runs)).reshape(-1, rows, columns)
    return [[crossing.runs.iloc[places[:, row, column]] for column in range(columns)] for row in range(rows)]


def _wrapped(value: object) -> str:
    # Never within a word: a long option is told from others by its end.
    return "\n".join(textwrap.wrap(value_in_words(value), WIDEST_WORDS, break_long_words=False))
