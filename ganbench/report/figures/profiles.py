"""How many runs reach which score, failed runs reaching none."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.analysis.comparisons import losses_by_setting, methods_by_dataset
from ganbench.analysis.methods import primary_metric
from ganbench.analysis.nulls import null_of
from ganbench.analysis.statistics.improvement import performance_profile, profile_interval
from ganbench.core.formatting import format_number, format_percent
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.method_lines import (
    MAX_BANDS,
    data_panels,
    data_title,
    draw_legend,
    failures_in_words,
    method_styles,
)
from ganbench.report.plotting.null_band import draw_null, null_legend
from ganbench.report.plotting.setting_panels import better
from ganbench.report.plotting.style import QUIET, describe, plain_ticks

FIGURE = FigureInfo(
    title="How many runs reach which score",
    scope="study",
    order=4,
    caption=(
        "The share of a method's runs whose final value is at least as good as the value on the axis, averaged over"
        " settings (performance profile), with its 95% interval as a band where a data set has at most four methods;"
        " the better values lie to the right. A failed run reaches no value, whatever it scored, so that a curve ends"
        " on the left at the share of runs that have a value and were not seen to fail. Undetermined runs, in which a"
        " possible failure was not measured, count by their value, and so do runs that had not learned by their end:"
        " the legend counts both. A method whose curve lies above another's everywhere is better at every level. The"
        " dashed line is what as many real examples score, the grey band the interval that holds 95% of such samples."
    ),
)

POINTS = 400  # of a curve, besides the values of the runs themselves


def draw(collected: Collected) -> Figure:
    """Performance profiles: one panel per data set, one curve per method, over all of its settings."""
    groups = list(methods_by_dataset(collected))
    figure, panels = data_panels(len(groups), max(len(names) for _, names in groups))
    seen = []
    for axes, (dataset, names) in zip(panels, groups, strict=True):
        data_title(axes, dataset)
        seen += _panel(axes, collected, dataset, names)
    describe(figure, seen)
    return figure


def _panel(axes: Axes, collected: Collected, dataset: str, names: list[str]) -> list[str]:
    """Draw the curves of a data set; return what is seen of each."""
    metric = primary_metric(collected, names[0])
    if metric is None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No run has a value of any metric.", ha="center", color=QUIET, transform=axes.transAxes)
        return ["no run has a value of any metric"]
    info = collected.metrics[metric]
    runs = {name: collected.runs[collected.runs["method"] == name] for name in names}
    losses = {name: losses_by_setting(runs[name], metric, info) for name in names}
    reached = np.concatenate([each[np.isfinite(each)] for mine in losses.values() for each in mine.values()])
    if not len(reached):
        axes.set_axis_off()
        axes.text(0.5, 0.5, "Every run failed or has no value.", ha="center", color=QUIET, transform=axes.transAxes)
        return ["every run failed or has no value"]
    sign = -1.0 if info.best == "high" else 1.0
    logarithmic = info.best == "low" and reached.min() > 0 and reached.max() / reached.min() > 30
    between = np.geomspace if logarithmic else np.linspace
    thresholds = np.unique(np.concatenate([reached, between(reached.min(), reached.max(), POINTS)]))
    null = null_of(collected, dataset, metric)
    draw_null(axes, null, axis="x")
    handles, seen = [], []
    for name, style in zip(names, method_styles(len(names)), strict=True):
        mine = list(losses[name].values())
        shares = performance_profile(mine, thresholds)
        low, high = profile_interval(shares, mine)
        if len(names) <= MAX_BANDS:
            axes.fill_between(sign * thresholds, low, high, color=style["color"], alpha=0.12, linewidth=0, step="post")
        axes.step(sign * thresholds, shares, where="post", **style)
        handles.append(Line2D([], [], label=f"{name} ({failures_in_words(runs[name])})", **style))
        best = min((each.min() for each in mine), default=np.inf)
        reach = f"best {info.title} {format_number(sign * best)}" if np.isfinite(best) else "no value"
        seen.append(f"{handles[-1].get_label()}: {format_percent(float(shares.max()))} have a value, {reach}")
    handles += null_legend([null])
    if logarithmic:
        axes.set_xscale("log")
    if info.best == "low":
        axes.invert_xaxis()
    axes.set(ylim=(-0.03, 1.05), xlabel=better(info, axes.get_xscale()), ylabel="runs at least as good")
    axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    plain_ticks(axes, "x")
    draw_legend(axes, handles)
    return seen
