"""Both players' losses over training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import FAILURES
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.setting_panels import count_failed, grid, settings_of, size
from ganbench.report.plotting.style import (
    INK,
    OUTCOME_COLOURS,
    PLAYER_COLOURS,
    PLAYER_NAMES,
    WIDEST_LEGEND,
    nothing,
    outcomes_present,
    plain_ticks,
)

FIGURE = FigureInfo(
    title="Losses",
    scope="method",
    caption=(
        "One line per seed and player: the mean loss over a bin of steps, with a band from the smallest to the"
        " largest loss in the bin. A triangle at the top marks the step since which the first failure of a run holds;"
        " its colour gives the most severe one. A square at the bottom marks the step after which a run was stopped"
        " early."
    ),
)

STOPPED = {"marker": "s", "color": INK}  # the mark of a run that was stopped early

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
    panels = grid(figure, runs)[0]
    _scale(panels[0, 0], curves)
    by_run = dict(list(curves.groupby("run")))
    for position, _, mine in settings_of(runs):
        axes = panels[position]
        count_failed(axes, mine)
        for _, run in mine.iterrows():
            if run["run"] in by_run:
                _curves(axes, by_run[run["run"]])
            if run["outcome"] in FAILURES and pd.notna(run["failed_step"]):
                _mark(axes, run["failed_step"], 1.0, marker="v", color=OUTCOME_COLOURS[run["outcome"]])
            if pd.notna(run["stopped_step"]):
                _mark(axes, run["stopped_step"], 0.0, **STOPPED)
    panels[0, 0].set_xlim(0, runs["steps"].max())
    for axes in panels.flat:
        plain_ticks(axes, "x", count=4)
    plain_ticks(panels[0, 0], "y")
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
    figure.legend(handles=handles, loc="outside lower left", ncols=min(len(handles), WIDEST_LEGEND))
    return figure


def _curves(axes: Axes, curves: pd.DataFrame) -> None:
    top = axes.get_ylim()[1] * 10
    for series, mine in curves.groupby("series"):
        mine = mine.sort_values("first_step")
        middle = (mine["first_step"] + mine["last_step"]).to_numpy() / 2
        low, mean, high = (np.clip(mine[name].to_numpy(dtype=np.float64), -top, top) for name in ("min", "mean", "max"))
        colour = PLAYER_COLOURS[series]
        axes.fill_between(middle, low, high, color=colour, alpha=0.13, linewidth=0)
        axes.plot(middle, mean, color=colour, linewidth=0.9, alpha=0.9)


def _mark(axes: Axes, step: float, height: float, **style: str) -> None:
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.5, "markersize": 7}
    axes.plot(step, height, transform=axes.get_xaxis_transform(), clip_on=False, zorder=5, **edge, **style)


def _scale(axes: Axes, curves: pd.DataFrame) -> None:
    """Linear while all losses are of one size; else linear around zero and logarithmic beyond the usual size.

    The usual size is the median over runs of a run's median |mean loss|, so that neither the bad moments of a run nor
    a few bad runs decide on the scale of all panels.
    """
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
