"""Where along the numeric axes of a study methods work, and over how many decades."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from ganbench.analysis.collected import Collected
from ganbench.analysis.working_regions import LIMIT, WorkingRegion, axis_words, decades_in_words, working_regions
from ganbench.core.formatting import format_number
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.method_lines import data_panels, data_title, draw_legend, method_styles
from ganbench.report.plotting.style import INK, QUIET, REFERENCE, describe, nothing

FIGURE = FigureInfo(
    title="Where methods work",
    scope="study",
    order=1,
    caption=(
        "The share of healthy runs, which had learned by their end and had not failed, along every numeric axis with"
        " three values or more. A method's runs at all numbers of examples and learning rates are counted together"
        " where these are the same at every value of the axis, and have lines of their own elsewhere. Upright lines"
        " are 95% Wilson intervals, drawn side by side, and lines of equal shares a little apart; intervals count"
        " undetermined runs either way, and a value with such runs has no dot. A thick bar below marks where more than"
        " half of the runs are healthy, by straight lines between neighbouring values; a triangle at its end says that"
        " the region may go on beyond the values that were run. What happens between two neighbouring values was not"
        " run: a gap or a peak there remains unseen."
    ),
)

SPREAD, WIDEST = 0.012, 0.07  # distance between the intervals of two lines, and of all, in widths of the panel
LIFT = 0.012  # height between lines of equal shares
STRIP, TALLEST = 0.055, 0.5  # height of the bar of a region, and of all, in units of the share
MAX_LINES = 24  # in a panel: styles repeat beyond


def draw(collected: Collected) -> Figure:
    """One panel per data set and axis, one line per group of runs."""
    panels: dict[tuple[str, str], list[WorkingRegion]] = {}
    for each in working_regions(collected):
        panels.setdefault((each.dataset, each.axis), []).append(each)
    if not panels:
        return nothing("No numeric axis has three values or more at which runs are alike in all else.")
    most = min(MAX_LINES, max(map(len, panels.values())))
    figure, axes = data_panels(len(panels), most + 1)
    seen = []
    for panel, ((dataset, axis), groups) in zip(axes, panels.items(), strict=True):
        _panel(panel, axis, groups)
        data_title(panel, dataset)
        seen += [f"{found.group}, healthy runs by {axis_words(axis)}: {_words(found)}" for found in groups]
    describe(figure, seen)
    return figure


def _words(found: WorkingRegion) -> str:
    """The share of healthy runs at every value."""
    pairs = zip(found.values, found.rates, strict=True)
    return ", ".join(f"{rate.count} of {rate.total} at {format_number(value)}" for value, rate in pairs)


def _panel(axes: Axes, axis: str, groups: list[WorkingRegion]) -> None:
    shown = groups[:MAX_LINES]
    decades = np.log10(max(each.values[-1] for each in shown) / min(each.values[0] for each in shown))
    spread, strip = min(SPREAD, WIDEST / len(shown)), min(STRIP, TALLEST / len(shown))
    handles = []
    for index, (found, style) in enumerate(zip(shown, method_styles(len(shown)), strict=True)):
        shift = 10 ** (spread * decades * (index - (len(shown) - 1) / 2))
        rates = found.rates
        values = found.values * shift
        axes.vlines(values, [r.lower for r in rates], [r.upper for r in rates], color=style["color"], alpha=0.45)
        lift = LIFT * (index - (len(shown) - 1) / 2)  # or lines of equal shares, such as 0%, would lie on one another
        axes.plot(values, [rate.value + lift for rate in rates], marker="o", markersize=4, zorder=3, **style)
        label = _region(axes, found, -strip * (index + 1.4), style["color"])
        handles.append(Line2D([], [], label=f"{found.group} ({label})", **style))
    axes.axhline(LIMIT, zorder=1, **REFERENCE)
    axes.set_xscale("log")
    ticks = np.unique(np.concatenate([each.values for each in shown]))
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([format_number(tick) for tick in ticks], rotation=30 if len(ticks) > 6 else 0)
    axes.set(ylim=(-strip * (len(shown) + 1.4), 1.04), xlabel=axis_words(axis), ylabel="healthy runs")
    axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.axhline(0, color=QUIET, linewidth=0.7)
    if len(groups) > len(shown):
        handles.append(Line2D([], [], linestyle="", label=f"and {len(groups) - len(shown)} more, in the table"))
    draw_legend(axes, handles)


def _region(axes: Axes, found: WorkingRegion, height: float, colour: str) -> str:
    """Draw the bar of a region; return its width in words."""
    region = found.region()
    for start, end in region.pieces:
        axes.plot([10**start, 10**end], [height] * 2, color=colour, linewidth=4, solid_capstyle="butt")
    beyond = [(region.open_below, found.values[0], "<"), (region.open_above, found.values[-1], ">")]
    for open_end, value, marker in beyond:
        if open_end:
            axes.plot(value, height, marker=marker, color=INK, markersize=4, zorder=4)
    if np.isnan(region.width):
        return "a width left open by undetermined runs"
    least = "≥ " if region.pieces and (region.open_below or region.open_above) else ""
    return f"{least}{decades_in_words(region.width)}"
