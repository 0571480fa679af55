"""Both players' losses over training."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import FAILURES
from ganbench.analysis.grouped_arrays import grouped_arrays
from ganbench.core.formatting import format_number
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.many_runs import Course, draw_courses, draw_failures, short_name
from ganbench.report.plotting.method_lines import failures_in_words
from ganbench.report.plotting.setting_panels import count_failed, grid, settings_of, size
from ganbench.report.plotting.style import (
    INK,
    OUTCOME_COLOURS,
    PLAYER_COLOURS,
    PLAYER_NAMES,
    describe,
    figure_legend,
    nothing,
    outcomes_present,
    plain_ticks,
)

FIGURE = FigureInfo(
    title="Losses",
    scope="method",
    caption=(
        "One panel per setting, each with its own scale of losses, linear about zero and logarithmic beyond if some"
        " losses are far larger than most; one line per seed and player: the mean loss over a bin of steps, with a band"
        " from the smallest to the largest loss in the bin. Of more than thirty runs of a setting, the lines are"
        " medians, the bands hold 50% and 90% of the runs that have a value, up to three runs farthest outside are"
        " drawn and named by their seeds, and a bar at the right edge shows the share of every failure. A triangle at"
        " the top marks the step since which the first failure of a run holds; its colour gives the most severe one."
        " Runs of one colour at near steps share a triangle, with their number beside it, and triangles of other"
        " colours there stand below. A square at the bottom marks the step after which a run was stopped early."
    ),
)

STOPPED = {"marker": "s", "color": INK}  # the mark of a run that was stopped early

NO_CURVE = dict.fromkeys(("middle", "min", "mean", "max"), np.array([]))  # of a run that ended before its first bin

HIGH = 0.085  # of a mark, in heights of the panel
NEAR = 0.02  # of training, within which marks would hide one another

# Losses of a run that diverges pass any scale; beyond this many times the usual size they leave the panel.
TALLEST = 100


def draw(collected: Collected, method: str) -> Figure:
    """Loss curves of a method, one panel per setting."""
    runs = collected.runs[collected.runs["method"] == method]
    curves = collected.curves[collected.curves["run"].isin(runs["run"])]
    curves = curves[curves["series"].isin(list(PLAYER_COLOURS))]
    if not np.isfinite(curves["mean"]).any():
        return nothing(f"{method}: no run recorded a loss.")
    width, height = size(runs, width=3.3, height=1.75)
    figure = Figure(figsize=(width, height + 1.0), layout="constrained")
    panels = grid(figure, runs, share=False)[0]  # on one scale, the losses at one rate would be flat lines at others
    by_run = _by_run(curves)
    for position, _, mine in settings_of(runs):
        axes = panels[position]
        _scale(axes, curves[curves["run"].isin(mine["run"])])
        count_failed(axes, mine)
        draw_failures(axes, mine)
        _curves(axes, mine, by_run)
        for step, outcome, count, level in _failures(mine, NEAR * runs["steps"].max()):
            _mark(axes, step, 1 - HIGH * level, count, marker="v", color=OUTCOME_COLOURS[outcome])
        for step, count in mine["stopped_step"].dropna().value_counts().items():
            _mark(axes, step, 0, count, **STOPPED)
    panels[0, 0].set_xlim(0, runs["steps"].max())
    for axes in panels.flat:
        plain_ticks(axes, "x", count=4)
        plain_ticks(axes, "y", count=4)
    for axes in panels[:, 0]:
        axes.set_ylabel("loss")
    handles = [Line2D([], [], color=PLAYER_COLOURS[name], label=PLAYER_NAMES[name]) for name in PLAYER_COLOURS]
    handles += [
        Line2D([], [], color=OUTCOME_COLOURS[name], marker="v", linestyle="", label=name)
        for name in outcomes_present(runs["outcome"])
        if name in FAILURES
    ]
    if runs["stopped_step"].notna().any():
        handles.append(Line2D([], [], **STOPPED, linestyle="", label="stopped early"))
    figure_legend(figure, handles)
    describe(figure, (_words(words, mine, by_run) for _, words, mine in settings_of(runs) if len(mine)))
    return figure


def _words(setting: str, runs: pd.DataFrame, curves: dict[tuple[str, str], dict[str, np.ndarray]]) -> str:
    """How a setting's runs ended, and the medians of the last losses."""
    words = [failures_in_words(runs)]
    for series, player in PLAYER_NAMES.items():
        last = [curves[run, series]["mean"][-1] for run in runs["run"] if (run, series) in curves]
        middle = float(np.median(last)) if last else np.nan
        value = format_number(middle) if np.isfinite(middle) else "no number"
        words.append(f"last loss of the {player} {value} in the median")
    return f"{setting or 'all runs'}: {', '.join(words)}"


def _curves(axes: Axes, runs: pd.DataFrame, curves: dict[tuple[str, str], dict[str, np.ndarray]]) -> None:
    """Draw the losses of both players in the runs of a setting, from the recorded series by run."""
    top = axes.get_ylim()[1] * 10
    for series, colour in PLAYER_COLOURS.items():
        courses, bands = [], []
        for run, seed in zip(runs["run"], runs["seed"], strict=True):
            mine = curves.get((run, series), NO_CURVE)
            middle, low, mean, high = (mine[name] for name in NO_CURVE)
            courses.append(Course(short_name(seed), middle, np.clip(mean, -top, top)))
            bands.append((np.clip(low, -top, top), np.clip(high, -top, top)))
        draw_courses(axes, courses, partial(_curve, axes, courses, bands, colour), colour)


def _by_run(curves: pd.DataFrame) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """By run and series, the steps in the middle of bins and the losses in these."""
    curves = curves.assign(middle=(curves["first_step"] + curves["last_step"]) / 2)
    return grouped_arrays(curves.sort_values("first_step", kind="stable"), ["run", "series"], list(NO_CURVE))


def _curve(axes: Axes, courses: list[Course], bands: list[tuple[np.ndarray, np.ndarray]], colour: str, at: int) -> None:
    axes.fill_between(courses[at].x, *bands[at], color=colour, alpha=0.13, linewidth=0)
    axes.plot(courses[at].x, courses[at].y, color=colour, linewidth=0.9, alpha=0.9)


def _failures(runs: pd.DataFrame, near: float) -> Iterator[tuple[float, str, int, int]]:
    """The marks of failures: the first step, the outcome, the number of runs that share the mark, and how many marks of
    steps nearer than `near` stand above it. Failures are dated to snapshots, so that many have one step."""
    bad = runs[runs["outcome"].isin(list(FAILURES)) & runs["failure_onset"].notna()].sort_values("failure_onset")
    groups: list[dict[str, list[float]]] = []
    start = -np.inf
    for step, outcome in zip(bad["failure_onset"].astype(float), bad["outcome"], strict=True):
        if step - start >= near:
            groups.append({})
            start = step
        groups[-1].setdefault(outcome, []).append(step)
    for together in groups:
        for level, (outcome, steps) in enumerate(together.items()):
            yield steps[0], outcome, len(steps), level


def _mark(axes: Axes, step: float, height: float, count: int, **style: str) -> None:
    """Mark a step at a height of a panel, with the number of runs if it is of several."""
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.5, "markersize": 7, "linestyle": "", "zorder": 5}
    axes.plot(step, height, transform=axes.get_xaxis_transform(), clip_on=False, **edge, **style)
    if count > 1:
        place = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "va": "center"}
        font = {"fontsize": 7, "color": INK, "zorder": 6}
        axes.annotate(f"{count}", (step, height), (5, 0), **place, **font).set_in_layout(False)


def _scale(axes: Axes, curves: pd.DataFrame) -> None:
    """Linear while all losses are of one size; else linear around zero and logarithmic beyond the usual size.

    The usual size is the median over runs of a run's median |mean loss|, so that neither the bad moments of a run nor
    a few bad runs decide on the scale of a panel.
    """
    if not np.isfinite(curves["mean"]).any():
        return
    finite = curves[np.isfinite(curves["mean"])]
    usual = max(finite["mean"].abs().groupby(finite["run"]).median().median(), 1e-3)
    low, high = finite["min"].min(), finite["max"].max()
    low, high = (0.0 if not np.isfinite(low) else low), (usual if not np.isfinite(high) else high)
    if max(-low, high) > 15 * usual:
        edge = 3 * usual
        axes.set_yscale("symlog", linthresh=edge, linscale=1.5)
        low, high = max(low, -TALLEST * usual), min(high, TALLEST * usual)
    room = 0.05 * max(high - low, usual) if axes.get_yscale() == "linear" else 0.0
    axes.set_ylim(min(low - room, 0.0), high + room)
