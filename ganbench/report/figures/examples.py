"""What each outcome looks like: one run of each, its last examples and its losses."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import SymmetricalLogLocator

from ganbench.analysis.collected import Collected
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting import histograms, image_strips, point_clouds
from ganbench.report.plotting.style import (
    OUTCOME_COLOURS,
    PLAYER_COLOURS,
    PLAYER_NAMES,
    QUIET,
    describe,
    figure_legend,
    heading,
    nothing,
    outcomes_present,
    plain_ticks,
)

FIGURE = FigureInfo(
    title="What each outcome looks like",
    scope="study",
    order=4,
    caption=(
        "One run of each primary outcome that occurs, the one told with most confidence: its examples at the first, a"
        " middle and the last snapshot, over real ones where these are points, and both players' losses with a line at"
        " the step since which the outcome holds. Losses beyond 10 are drawn logarithmically."
    ),
)

LINEAR = 10.0  # nats, up to which losses are drawn linearly


def draw(collected: Collected) -> Figure:
    """One row per outcome: examples at three snapshots, and losses."""
    runs = collected.runs.set_index("run", drop=False)
    shown = [(name, _clearest(collected, runs, name)) for name in outcomes_present(runs["outcome"])]
    if not shown:
        return nothing("The study has no runs.")
    figure = Figure(figsize=(10.8, 1.55 * len(shown) + 0.7), layout="constrained")
    panels = figure.subplots(len(shown), 4, squeeze=False, width_ratios=[1, 1, 1, 1.25])
    for row, (name, run) in zip(panels, shown, strict=True):
        heading(row[0], f"{name}: {run['run']}", above=14)
        _examples(row[:3], collected, run)
        _losses(row[3], collected.curves[collected.curves["run"] == run["run"]], run)
        row[3].set_ylabel("loss", fontsize=8)
    panels[-1, 3].set_xlabel("training step", fontsize=8)
    handles = [Line2D([], [], color=colour, label=PLAYER_NAMES[name]) for name, colour in PLAYER_COLOURS.items()]
    figure_legend(figure, handles, corner="lower right")
    describe(figure, (_words(name, run) for name, run in shown))
    return figure


def _words(outcome: str, run: pd.Series) -> str:
    """A run and since when its outcome holds."""
    since = "" if pd.isna(run["outcome_onset"]) else f", since step {run['outcome_onset']:,}"
    return f"{outcome}: run {run['run']}{since}"


def _clearest(collected: Collected, runs: pd.DataFrame, outcome: str) -> pd.Series:
    """The run whose primary outcome it is with most confidence; the first of several."""
    table = collected.run_outcomes
    found = table[table["primary"] & (table["outcome"] == outcome)]
    confidence = found.set_index("run")["confidence"].fillna(0.0).reindex(runs.index[runs["outcome"] == outcome])
    return runs.loc[confidence.fillna(0.0).idxmax()]


def _examples(row: np.ndarray, collected: Collected, run: pd.Series) -> None:
    steps, samples = collected.samples(run["run"])
    real = collected.real(run["dataset"])
    kept = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), 3)).round().astype(int))
    for axes, index in zip(row, kept, strict=False):
        _picture(axes, samples[index], real)
        axes.set_title(f"step {steps[index]:,}", fontsize=8)
    for axes in row[len(kept) :]:
        axes.set_axis_off()


def _picture(axes: Axes, samples: np.ndarray, real: np.ndarray) -> None:
    if real.ndim == 4:
        count = min(len(samples), image_strips.IMAGES)
        image_strips.row_of_images(axes, samples[: count // 2 or 1], top=0.0)
        if count > 1:
            image_strips.row_of_images(axes, samples[count // 2 : 2 * (count // 2)], top=1.0)
        axes.set(xlim=(0, count // 2 or 1), ylim=(2 if count > 1 else 1, 0), aspect="equal")
        axes.set_axis_off()
    elif real.ndim == 2 and real.shape[1] == 2:
        point_clouds.cloud(axes, samples, real)
    elif real.ndim == 2 and real.shape[1] == 1:
        histograms.density(axes, samples[:, 0], real[:, 0])
    else:
        axes.text(0.5, 0.5, "no picture of such examples", ha="center", color=QUIET, transform=axes.transAxes)
        axes.set_axis_off()


def _losses(axes: Axes, curves: pd.DataFrame, run: pd.Series) -> None:
    for series, colour in PLAYER_COLOURS.items():
        mine = curves[curves["series"] == series].sort_values("first_step")
        middle = (mine["first_step"] + mine["last_step"]).to_numpy() / 2
        axes.plot(middle, mine["mean"].to_numpy(dtype=np.float64), color=colour, linewidth=0.9)
    if pd.notna(run["outcome_onset"]):
        axes.axvline(run["outcome_onset"], color=OUTCOME_COLOURS[run["outcome"]], linewidth=1.4)
    low, high = axes.get_ylim()
    if max(-low, high) > LINEAR:
        axes.set_yscale("symlog", linthresh=LINEAR, linscale=1.5)
    if axes.dataLim.y0 >= 0:
        axes.set_ylim(bottom=0)
    axes.set_xlim(0, run["steps"])
    plain_ticks(axes, "x", count=4)
    plain_ticks(axes, "y", count=3)
    if axes.get_yscale() == "symlog":
        locator = SymmetricalLogLocator(base=10, linthresh=LINEAR)
        locator.set_params(numticks=5)
        axes.yaxis.set_major_locator(locator)
    axes.tick_params(labelsize=7)
