"""The primary metrics over training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import FAILURES
from ganbench.analysis.grouped_arrays import grouped_arrays
from ganbench.analysis.methods import dataset_of, measured_metrics
from ganbench.analysis.nulls import noise_of, null_of
from ganbench.core.formatting import format_range
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.many_runs import Course, draw_courses, draw_failures, short_name
from ganbench.report.plotting.method_lines import failures_in_words
from ganbench.report.plotting.null_band import draw_noise, draw_null, noise_legend, null_legend, shown_with
from ganbench.report.plotting.setting_panels import better, count_failed, grid, metric_scale, settings_of, size
from ganbench.report.plotting.step_axis import step_axis
from ganbench.report.plotting.style import (
    INK,
    OUTCOME_COLOURS,
    describe,
    heading,
    nothing,
    outcome_legend,
    outcomes_present,
    plain_ticks,
)

FIGURE = FigureInfo(
    title="Progress",
    scope="method",
    caption=(
        "One line per seed, in the colour of the run's outcome. Dots are measurements; a cross marks the last finite"
        " value of a run that has none at the end, such as one that diverged or was stopped early. Of more than thirty"
        " runs of a setting, the dark line is the median and the bands hold 50% and 90% of the runs that have a value;"
        " up to three runs farthest outside are drawn and named by their seeds, and a bar at the right edge shows the"
        " share of every failure. The dashed line is what as many real examples score, the grey band the interval in"
        " which they do so 19 times of 20: values in it are as good as those of real data. A line that moves away"
        " from it again shows forgetting. The dotted line is what noise scores: independent numbers with the means and"
        " variances of the real ones. The methods of a data set have one scale."
    ),
)

METRICS = 2


def draw(collected: Collected, method: str) -> Figure:
    """Metrics over training steps: one block of panels per metric, one panel per setting."""
    runs = collected.runs[collected.runs["method"] == method]
    snapshots = collected.snapshots[collected.snapshots["method"] == method]
    metrics = [
        name
        for name in measured_metrics(collected, method)
        if np.isfinite(snapshots[name].to_numpy(dtype=np.float64)).any()
    ][:METRICS]
    if not metrics:
        return nothing(f"{method}: no snapshot has a value of any metric.")
    width, height = size(runs, width=3.3, height=1.6)
    figure = Figure(figsize=(width, (height + 0.35) * len(metrics) + 0.9), layout="constrained")
    panels = grid(figure, runs, blocks=len(metrics))
    step_axis(panels[0, 0, 0], snapshots["step"].to_numpy(), runs["steps"].max())
    for block, metric in zip(panels, metrics, strict=True):
        _block(block, collected, runs, snapshots, metric)
    for axes in panels.flat:
        plain_ticks(axes, "x", count=4)
    dataset = dataset_of(collected, method)
    extra = null_legend(null_of(collected, dataset, metric) for metric in metrics) + noise_legend(
        (noise_of(collected, dataset, metric), _of_data(collected, dataset, metric)) for metric in metrics
    )
    outcome_legend(figure, outcomes_present(runs["outcome"]), extra=extra, lines=True)
    ends = {metric: (runs[f"{metric}_final"], collected.metrics[metric].title) for metric in metrics}
    describe(figure, (_words(words, mine, ends) for _, words, mine in settings_of(runs) if len(mine)))
    return figure


def _words(setting: str, runs: pd.DataFrame, ends: dict[str, tuple[pd.Series, str]]) -> str:
    """How a setting's runs ended, and where their lines do."""
    words = [failures_in_words(runs)]
    for values, title in ends.values():
        mine = values[runs.index].dropna()
        words += [f"{title} {format_range(mine.min(), mine.max())} at the end"] if len(mine) else []
    return f"{setting or 'all runs'}: {', '.join(words)}"


def _block(panels: np.ndarray, collected: Collected, runs: pd.DataFrame, snapshots: pd.DataFrame, metric: str) -> None:
    info = collected.metrics[metric]
    dataset = dataset_of(collected, runs["method"].iloc[0])
    null, noise = null_of(collected, dataset, metric), noise_of(collected, dataset, metric)
    values = _of_data(collected, dataset, metric)
    known = snapshots.assign(value=snapshots[metric].astype(np.float64)).sort_values("step", kind="stable")
    courses = grouped_arrays(known, ["run"], ["step", "value"])
    metric_scale(panels[0, 0], info, shown_with(null, values), null)
    for position, _, mine in settings_of(runs):
        axes = panels[position]
        count_failed(axes, mine)
        if len(mine):
            draw_null(axes, null)
            draw_noise(axes, noise, values)
        draw_failures(axes, mine)
        _lines(axes, mine, courses)
    title = panels[0, 0].get_title("left")
    heading(panels[0, 0], better(info, panels[0, 0].get_yscale()), above=5 + 15 * len(title.splitlines()))
    plain_ticks(panels[0, 0], "y", count=4)


def _of_data(collected: Collected, dataset: str, metric: str) -> np.ndarray:
    """All values of a metric on a data set, (snapshots,): the methods on it have one scale."""
    return collected.snapshots.loc[collected.snapshots["dataset"] == dataset, metric].to_numpy(dtype=np.float64)


def _lines(axes: Axes, runs: pd.DataFrame, snapshots: dict[tuple[str], dict[str, np.ndarray]]) -> None:
    """Draw a metric in the runs of a setting, from the steps and values of snapshots by run."""
    runs = runs[[(run,) in snapshots for run in runs["run"]]]
    courses = [
        Course(short_name(seed), snapshots[run,]["step"], snapshots[run,]["value"])
        for run, seed in zip(runs["run"], runs["seed"], strict=True)
    ]
    draw_courses(axes, courses, lambda index: _line(axes, courses[index], runs.iloc[index]), INK)


def _line(axes: Axes, course: Course, run: pd.Series) -> None:
    known = np.isfinite(course.y)
    x, y, colour = course.x[known], course.y[known], OUTCOME_COLOURS[run["outcome"]]
    above = 3 if run["outcome"] in FAILURES else 2
    axes.plot(x, y, color=colour, linewidth=1.1, marker="o", markersize=2.2, zorder=above)
    if len(x) and x[-1] < run["steps"]:
        axes.plot(x[-1], y[-1], color=colour, marker="X", markersize=6, markeredgecolor="white", zorder=4)
