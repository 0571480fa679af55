"""Panels, colours and legends that the figures of diagnostics share."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.core.formatting import format_number
from ganbench.report.diagnostic_results import DiagnosticArrays
from ganbench.report.plotting.style import PLAYER_COLOURS, QUIET, figure_legend, plain_ticks

SINGLE_RATE = PLAYER_COLOURS["generator_loss"]


def learning_rate_colours(groups: dict[str, list[DiagnosticArrays]]) -> dict[float, str]:
    """A colour for every learning rate, dark for the smallest; one calm colour where no panel has several."""
    each = [{float(result.run["learning_rate"]) for result in mine} for mine in groups.values()]
    rates = sorted(set().union(*each))
    if max(map(len, each)) == 1:
        return dict.fromkeys(rates, SINGLE_RATE)
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, len(rates)))
    return {rate: to_hex(shade) for rate, shade in zip(rates, shades, strict=True)}


def learning_rate_handles(colours: dict[float, str], most: int = 7) -> list[Line2D]:
    """Legend entries for learning rates, evenly chosen where there are many; none for a single one."""
    rates = list(colours)
    if SINGLE_RATE in colours.values():
        return []
    chosen = np.unique(np.linspace(0, len(rates) - 1, min(len(rates), most)).round().astype(int))
    return [
        Line2D([], [], color=colours[rates[i]], linewidth=1.8, label=f"learning rate {format_number(rates[i])}")
        for i in chosen
    ]


def line_over_steps(
    axes: Axes, result: DiagnosticArrays, name: str, colours: dict[float, str], dashes: object = "-", width: float = 1.3
) -> None:
    """Draw an array of a run over its array `steps`, where it has values; a single value as a dot.

    Args:
        axes: the panel.
        result: the run.
        name: the array.
        colours: the colour of each learning rate.
        dashes, width: style and width of the line.
    """
    steps = result.arrays["steps"]
    values = np.asarray(result.arrays.get(name, np.full(len(steps), np.nan)), dtype=np.float64)
    good = np.isfinite(values)
    marker, colour = "o" if good.sum() == 1 else "", colours[float(result.run["learning_rate"])]
    axes.plot(steps[good], values[good], color=colour, linestyle=dashes, linewidth=width, alpha=0.8, marker=marker)


def panel_blocks(
    names: Sequence[str], *, width: float = 2.5, height: float = 2.4, rows: Sequence[float] = (1.0,), most: int = 4
) -> tuple[Figure, np.ndarray]:
    """A figure with one block of panels per name, titled, side by side and then below.

    Args:
        names: titles, wrapped to the width of their panel.
        width, height: of a panel, inches.
        rows: heights of the panels of a block, relative to `height`, the titled one first.
        most: blocks side by side, at most.

    Returns:
        The figure, and its axes of shape (names, panels of a block).
    """
    columns = min(most, len(names))
    wrap = max(18, round(width * 13.5))
    whole = [re.sub(r"(rate|seed) (?=\d)", "\\1\N{NO-BREAK SPACE}", name).split("\n") for name in names]
    titles = ["\n".join(line for part in parts for line in textwrap.wrap(part, wrap)) for parts in whole]
    chunks = [titles[start : start + columns] for start in range(0, len(titles), columns)]
    lines = [max(title.count("\n") for title in chunk) + 1 for chunk in chunks]
    tall = sum(height * sum(rows) + 0.16 * line + 0.32 * len(rows) for line in lines)
    # A lone panel is wider: its figure has a title of its own.
    wide = max(width * columns + 0.4, 5.0)
    figure = Figure(figsize=(wide, tall + 0.85), layout="constrained")
    ratios = [ratio for _ in chunks for ratio in rows]
    grid = figure.subplots(len(ratios), columns, squeeze=False, gridspec_kw={"height_ratios": ratios})
    blocks = grid.reshape(len(chunks), len(rows), columns).transpose(0, 2, 1).reshape(-1, len(rows))
    for block, title in zip(blocks, titles, strict=False):
        block[0].set_title(title, fontsize=8.5)
    for block in blocks[len(names) :]:
        for axes in block:
            axes.set_axis_off()
    return figure, blocks[: len(names)]


def log_length_scale(axes: Axes) -> None:
    """A logarithmic axis of lengths on which a level line looks level, and rounding does not fill the panel."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low < 10:
        middle = np.sqrt(low * high)
        axes.set_ylim(middle / 4, middle * 4)
    else:
        axes.set_ylim(max(low, 1e-18), min(high, 1e18))
    plain_ticks(axes, "y")


def leftmost(blocks: np.ndarray, most: int = 4) -> list[Axes]:
    """The first panels of their rows, which carry the label of the vertical axis: shape (blocks at the left, ...)."""
    return [block for index, block in enumerate(blocks) if index % min(most, len(blocks)) == 0]


def legend_below(figure: Figure, handles: Sequence[Artist], *texts: str) -> None:
    """Below the panels, what signs mean, under small print."""
    text = " ".join(filter(None, texts))
    if handles or text:
        legend = figure_legend(figure, handles)
        legend.set_title("\n".join(textwrap.wrap(text, 105)) or None)
        legend.get_title().set(fontsize=8, color=QUIET)
