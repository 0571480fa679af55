"""How good the generators are at the end, every seed shown."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import dataset_of, failed, final_values, measured_metrics, median_value, methods
from ganbench.analysis.nulls import null_of
from ganbench.core.formatting import format_number
from ganbench.core.metric_info import MetricInfo
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.many_runs import draw_values, short_name
from ganbench.report.plotting.null_band import draw_null, null_legend, shown_with
from ganbench.report.plotting.setting_panels import Levels, better, metric_scale, settings_of
from ganbench.report.plotting.style import (
    INK,
    OUTCOME_COLOURS,
    OUTCOME_MARKERS,
    QUIET,
    describe,
    heading,
    nothing,
    outcome_legend,
    outcomes_present,
    plain_ticks,
)

FIGURE = FigureInfo(
    title="What the generators score at the end",
    scope="study",
    order=2,
    caption=(
        "One mark per run at its last measured value; shape and colour give the outcome; of more than thirty runs of"
        " a setting, a histogram on its side in the colours of outcomes, with marks and seeds of up to three runs"
        " farthest outside the middle 90%. The dark line is the median of the setting, in which a run that failed or"
        " has no value counts as worse than any other, and an undetermined run by its value; where at least half of the"
        " runs failed or have no value, there is no median, and their number stands in its place. The dashed line is"
        " what as many real examples score, the grey band the interval in which they do so 19 times of 20: values in it"
        " are as good as those of real data. Runs without a value stand above the panel, by their outcome and number"
        " (n/a)."
    ),
)

METRICS = 2  # as many of the most telling metrics as fit side by side
ROOM = 85  # small letters in the width of a panel
GAP = 0.8  # between groups of settings with the same number of examples, in widths of a setting


def draw(collected: Collected) -> Figure:
    """Final metrics: one row of panels per method, one column per primary metric."""
    names = [name for name in methods(collected) if measured_metrics(collected, name)]
    if not names:
        return nothing("No run has a value of any metric.")
    chosen = {name: measured_metrics(collected, name)[:METRICS] for name in names}
    columns = max(len(metrics) for metrics in chosen.values())
    figure = Figure(figsize=(5.4 * max(columns, 1.3), 2.7 * len(names) + 0.7), layout="constrained")
    panels = figure.subplots(len(names), columns, squeeze=False)
    for row, name in enumerate(names):
        runs = collected.runs[collected.runs["method"] == name]
        for column in range(columns):
            axes = panels[row, column]
            if column >= len(chosen[name]):
                axes.set_axis_off()
                continue
            _panel(axes, collected, runs, chosen[name][column])
            axes.set_title(better(collected.metrics[chosen[name][column]], axes.get_yscale()), pad=16)
        heading(panels[row, 0], name, above=31)
    extra = [Line2D([], [], color=INK, linewidth=2, label="median, failed runs being the worst")]
    shown = [(dataset_of(collected, name), each) for name in names for each in chosen[name]]
    extra += null_legend(null_of(collected, *each) for each in shown)
    outcome_legend(figure, outcomes_present(collected.runs["outcome"]), extra=extra, lines=False)
    describe(figure, (_words(collected, name, metric) for name in names for metric in chosen[name]))
    return figure


def _words(collected: Collected, method: str, metric: str) -> str:
    """The median of every setting."""
    info, medians = collected.metrics[metric], []
    for _, words, mine in settings_of(collected.runs[collected.runs["method"] == method]):
        if len(mine):
            median = median_value(mine, metric, info)
            value = f"none ({_lost(mine, metric, info)})" if np.isnan(median) else format_number(median)
            medians.append(f"{value} at {words}" if words else value)
    return f"{method}, median {info.title}: {', '.join(medians)}"


def _lost(runs: pd.DataFrame, metric: str, info: MetricInfo) -> str:
    """How many runs leave a setting without a median: "8 of 10 failed"."""
    bad, gone = failed(runs).to_numpy(), np.isnan(final_values(runs, metric))
    lost = gone if info.best == "none" else bad | gone
    why = "failed" if bad[lost].all() else "failed or n/a" if bad[lost].any() else "n/a"
    return f"{lost.sum()} of {len(runs)} {why}"


def _panel(axes: Axes, collected: Collected, runs: pd.DataFrame, metric: str) -> None:
    info = collected.metrics[metric]
    dataset = dataset_of(collected, runs["method"].iloc[0])
    null = null_of(collected, dataset, metric)
    beside = collected.runs["dataset"] == dataset  # the methods of a data set have one scale
    values = collected.runs.loc[beside, f"{metric}_final"].to_numpy(dtype=np.float64)
    metric_scale(axes, info, shown_with(null, values), null)
    draw_null(axes, null)
    levels = Levels.of(runs)
    settings = list(settings_of(runs))
    ticks = [row * (len(levels.learning_rate) + GAP) + position for (row, position), _, _ in settings]
    axes.set_xticks(ticks, levels.rate_words * len(levels.n_train))
    axes.set_xlim(-0.6, max(ticks) + 0.6)
    for x, (*_, mine) in zip(ticks, settings, strict=True):
        _setting(axes, x, mine, metric, info)
    axes.set_xlabel("learning rate")
    plain_ticks(axes, "y")
    if len(levels.n_train) > 1:
        for row, count in enumerate(levels.n_train):
            middle = row * (len(levels.learning_rate) + GAP) + (len(levels.learning_rate) - 1) / 2
            position = {"xy": (middle, 0), "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            axes.annotate(
                f"{format_number(count)} examples", xytext=(0, -19), ha="center", va="top", fontsize=8, **position
            )
        axes.xaxis.labelpad = 14


def _setting(axes: Axes, x: float, runs: pd.DataFrame, metric: str, info: MetricInfo) -> None:
    """The runs of one setting, side by side in the order of their seeds: no two marks hide each other."""
    runs = runs.sort_values("seed")
    values = runs[f"{metric}_final"].to_numpy(dtype=np.float64)
    known = np.isfinite(values)

    def single(position: float, value: float, outcome: str) -> None:
        style = {"color": OUTCOME_COLOURS[outcome], "marker": OUTCOME_MARKERS[outcome]}
        axes.plot(position, value, markersize=5.5, markeredgecolor="white", markeredgewidth=0.5, zorder=3, **style)

    names = [short_name(seed) for seed in runs["seed"]]
    draw_values(axes, x, 0.37, values, runs["outcome"].to_numpy(), names, single)
    median = median_value(runs, metric, info)
    if np.isfinite(median):
        axes.hlines(median, x - 0.38, x + 0.38, color=INK, linewidth=1.6, zorder=2)
    else:
        heights = (axes.transData + axes.transAxes.inverted()).transform(
            [(x, each) for each in (*values[known], np.nan)]
        )
        top = known.any() and 1 - np.nanmax(heights[:, 1]) > np.nanmin(heights[:, 1])  # the end with more room
        room = int(ROOM / (axes.get_xlim()[1] - axes.get_xlim()[0]))
        text = "\n".join(textwrap.wrap(f"no median: {_lost(runs, metric, info)}", room, break_long_words=False))
        place = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "top" if top else "bottom"}
        behind = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5}
        font = {"fontsize": 6.5, "color": INK, "linespacing": 1.0, "zorder": 1.5}  # below the marks
        axes.text(x, 0.97 if top else 0.03, text, bbox=behind, **font, **place)
    lost = runs[~known]["outcome"].value_counts()
    for level, outcome in enumerate(outcomes_present(lost.index)):  # in a strip above the panel
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "center"}
        text = f"{lost[outcome]} n/a"
        axes.annotate(text, (x, 1), xytext=(0, 6 + 9 * level), ha="left", fontsize=7, color=QUIET, **place)
        mark = {"color": OUTCOME_COLOURS[outcome], "marker": OUTCOME_MARKERS[outcome], "markersize": 5.5}
        above = axes.get_xaxis_transform() + ScaledTranslation(
            -5 / 72, (6 + 9 * level) / 72, axes.figure.dpi_scale_trans
        )
        axes.plot(x, 1, transform=above, clip_on=False, markeredgecolor="white", markeredgewidth=0.5, **mark)
