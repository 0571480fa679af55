"""When runs fail: the share of runs that have not been seen to fail, over training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SETTING
from ganbench.analysis.comparisons import log_rank_within_settings, methods_by_dataset
from ganbench.analysis.methods import failure_times
from ganbench.analysis.statistics.survival import SurvivalCurve, kaplan_meier
from ganbench.core.formatting import format_number, format_p_value, format_percent
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.method_lines import (
    MAX_BANDS,
    data_panels,
    data_title,
    draw_legend,
    failures_in_words,
    method_styles,
)
from ganbench.report.plotting.style import INK, describe, plain_ticks

FIGURE = FigureInfo(
    title="When runs fail",
    scope="study",
    order=3,
    caption=(
        "The share of a method's runs that have not been seen to fail, over training steps (Kaplan and Meier), with"
        " its 95% interval as a band where a data set has at most four methods. Runs that never learned anything are"
        " among those that did not fail; the legend counts them. A failure that snapshots show is dated to the first"
        " one that shows it, or to a step of the recorded series since the one before. A run that was not seen to fail"
        " is censored at its last step: it counts until then, and a short upright line marks it. So is an undetermined"
        " run, in which a possible failure was not measured: with such runs, which the legend counts, the curve and"
        " its band lie too high by what was not seen. A run that was stopped early failed where its failure began."
        " Where a data set has at most eight methods, the numbers of runs at risk, which had neither failed nor ended"
        " before the step, stand below it beside the line of their method. Curves are drawn a little apart, or equal"
        " ones would hide one another. The p-value is that of the log-rank test, which"
        " compares methods at the settings that they share; the legend counts runs at other settings, which the"
        " curve holds and the test does not. It is not adjusted for the number of data sets."
    ),
)

MAX_COUNTED = 8  # methods of a data set whose numbers at risk have room below its panel
FIRST_ROW, ROW = 36, 9.5  # distance of the first row of these from the axis, and height of a row, points
BEYOND = 1.02  # the end of the axis, in last steps
APART, SPREAD = 1.7, 8  # heights between two curves, and at most between all of a panel, points
SAMPLE = (-0.085, -0.035)  # ends of the line beside numbers at risk, in widths of the panel


def draw(collected: Collected) -> Figure:
    """Survival curves: one panel per data set, one curve per method, over all of its settings."""
    groups = list(methods_by_dataset(collected))
    most, seen = max(len(names) for _, names in groups), []
    figure, panels = data_panels(len(groups), most + min(most, MAX_COUNTED))
    for axes, (dataset, names) in zip(panels, groups, strict=True):
        runs = collected.runs[collected.runs["method"].isin(names)]
        last = float(runs["steps"].max())
        handles, at_risk = [], []
        lifts = np.linspace(0.5, -0.5, len(names)) * min(APART * (len(names) - 1), SPREAD)
        for name, style, lift in zip(names, method_styles(len(names)), lifts, strict=True):
            mine = runs[runs["method"] == name]
            steps, failed = failure_times(mine)
            curve = kaplan_meier(steps, failed)
            lifted = style | {"transform": axes.transData + ScaledTranslation(0, lift / 72, figure.dpi_scale_trans)}
            _curve(axes, curve, steps[~failed], float(mine["steps"].max()), lifted, band=len(names) <= MAX_BANDS)
            at_risk.append((steps, style))
            handles.append(Line2D([], [], label=f"{name} ({failures_in_words(mine)}{_untested(mine, runs)})", **style))
            end = f"by step {format_number(mine['steps'].max())}"
            seen.append(f"{handles[-1].get_label()}: {format_percent(float(curve.share[-1]))} not seen to fail {end}")
        axes.set(
            xlim=(-0.01 * last, BEYOND * last), ylim=(-0.03, 1.05), xlabel="training step", ylabel="not seen to fail"
        )
        axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
        p_value = log_rank_within_settings(runs)
        test = "" if np.isnan(p_value) else f"log-rank test within settings: {format_p_value(p_value)}"
        data_title(axes, dataset, test)
        plain_ticks(axes, "x")
        draw_legend(axes, handles, below=_counts(axes, at_risk, last))
    describe(figure, seen)
    return figure


def _untested(mine: pd.DataFrame, runs: pd.DataFrame) -> str:
    """How many runs of a method are at settings that no other method has, which the test leaves out; empty of none, and
    where there is no test."""
    methods_at = runs.groupby(list(SETTING), dropna=False)["method"].transform("nunique")
    alone = int((methods_at[mine.index] == 1).sum())
    return f"; {alone} at settings of its own" if alone and runs["method"].nunique() > 1 else ""


def _counts(axes: Axes, at_risk: list[tuple[np.ndarray, dict]], last: float) -> float:
    """Write the numbers of runs at risk below the ticks, one row per method beside a piece of its line; return the
    height of all rows, points."""
    if len(at_risk) > MAX_COUNTED:
        return 0.0
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= last]
    font = {"fontsize": 7, "va": "center", "textcoords": "offset points", "color": INK}
    place = {"xycoords": axes.get_xaxis_transform(), "ha": "center"}
    axes.annotate("at risk", (SAMPLE[0], 0), (0, -FIRST_ROW), xycoords="axes fraction", ha="left", **font)
    for row, (steps, style) in enumerate(at_risk, start=1):
        down = -FIRST_ROW - ROW * row
        row_of = axes.transAxes + ScaledTranslation(0, down / 72, axes.figure.dpi_scale_trans)
        axes.plot(SAMPLE, (0, 0), transform=row_of, clip_on=False, **style)
        for tick in ticks:
            axes.annotate(f"{(steps >= tick).sum()}", (tick, 0), (0, down), **place, **font)
    return ROW * (len(at_risk) + 1)


def _curve(axes: Axes, curve: SurvivalCurve, censored: np.ndarray, last: float, style: dict, *, band: bool) -> None:
    """Draw one curve to a last step, with the marks of censored runs and, if asked for, its band, which a lift of the
    curve leaves where it is."""
    steps, share, low, high = (
        np.append(each, end)
        for each, end in (
            (curve.steps, last),
            (curve.share, curve.share[-1]),
            (curve.low, curve.low[-1]),
            (curve.high, curve.high[-1]),
        )
    )
    if band:
        axes.fill_between(steps, low, high, step="post", color=style["color"], alpha=0.12, linewidth=0)
    axes.step(steps, share, where="post", **style)
    at = np.unique(censored)
    heights = share[np.searchsorted(curve.steps, at, side="right") - 1]
    mark = {"marker": "|", "markersize": 7, "markeredgewidth": 0.9, "color": INK, "transform": style["transform"]}
    axes.plot(at, heights, linestyle="", **mark)
