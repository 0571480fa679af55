"""The final score of every run, method by method in the order of the ranking."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SETTING
from ganbench.analysis.methods import failed, final_values, healthy, not_learned, undetermined
from ganbench.analysis.nulls import noise_of, null_of, untrained_of
from ganbench.analysis.ranking import ranking
from ganbench.analysis.ranking_tests import ranking_tests
from ganbench.core.formatting import format_number, format_range
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.many_runs import MAX_SINGLE
from ganbench.report.plotting.method_lines import COLOURS, data_title
from ganbench.report.plotting.null_band import NOISE, draw_null, shown_with
from ganbench.report.plotting.setting_panels import better, metric_scale
from ganbench.report.plotting.style import (
    BAD,
    INK,
    OUTCOME_COLOURS,
    OUTCOME_MARKERS,
    REFERENCE,
    describe,
    figure_legend,
    nothing,
    plain_ticks,
)

FIGURE = FigureInfo(
    title="Final score of every run",
    scope="study",
    order=1,
    caption=(
        "Methods from the top in the order of the ranking, by data set. Every mark is the final value of the primary"
        " metric of one run, hollow if the run failed; the runs of a method lie one below the other in the order of"
        " their settings and seeds. At the right stand the number of healthy runs, and that of runs without a final"
        " value, which diverged, were stopped early or could not be measured. The dark line is the median of the"
        " ranking, in which a run that failed or has no value counts as worse than any other, and the box its 95%"
        " interval, with an arrow where that has no end; there is no line if at least half of the runs failed or have"
        " no value. Upright lines across the panel: what untrained generators score, the median at step 0 over all runs"
        " of the data set; what noise scores, independent numbers with the means and variances of the data; and what"
        " as many real examples score, with the interval in which they do so 19 times of 20 in grey."
    ),
)

UNTRAINED = {"color": INK, "linestyle": (0, (6, 2, 1.5, 2)), "linewidth": 1.1}
MARKS = {
    "healthy": {"marker": "o", "color": COLOURS[0]},
    "not learned": {"marker": OUTCOME_MARKERS["not-learned-yet"], "color": OUTCOME_COLOURS["not-learned-yet"]},
    "undetermined": {"marker": OUTCOME_MARKERS["undetermined"], "color": OUTCOME_COLOURS["undetermined"]},
    "failed": {"marker": "o", "color": BAD, "fillstyle": "none"},
}
SIZE, SMALLEST = 5.5, 2.0  # of marks, points: of few and of very many runs of a method
MAX_VECTORS = 1000  # marks of a row that stay vectors in files
MEDIAN, INTERVAL = {"color": INK, "linewidth": 1.8}, {"color": COLOURS[0], "alpha": 0.16, "linewidth": 0}
ROW, AROUND = 0.44, 0.95  # heights of a method's row, and of what stands above and below a panel, inches
REACH = 0.4  # how far a row is filled on either side of its middle, in rows
NAME = 36  # letters of a method's name in a line
LETTER, LINE = 0.0105, 10  # width of a letter above a panel in widths of the panel, and height of its line in points


def draw(collected: Collected) -> Figure:
    """One panel per data set, one row per method."""
    table = ranking(collected, ranking_tests(collected))
    shown = list(table[table["metric"].notna()].groupby("dataset", sort=False))
    if not shown:
        return nothing("No run has a value of any metric with a better end.")
    counts = [len(rows) for _, rows in shown]
    figure = Figure(figsize=(9.6, ROW * sum(counts) + AROUND * len(shown) + 0.6), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False, height_ratios=counts).ravel()
    seen = [each for axes, (_, rows) in zip(panels, shown, strict=True) for each in _panel(axes, collected, rows)]
    kinds = _kinds(collected.runs)
    handles: list[Artist] = [
        Line2D([], [], linestyle="", label=name, **_look(name, SIZE)) for name in MARKS if kinds[name].any()
    ]
    handles += [
        Line2D(
            [],
            [],
            linestyle="",
            marker="|",
            markersize=11,
            markeredgewidth=1.8,
            color=INK,
            label="median, failed runs being the worst",
        ),
        Patch(label="95% interval of the median", **INTERVAL),
    ]
    figure_legend(figure, handles)
    describe(figure, seen)
    return figure


def _kinds(runs: pd.DataFrame) -> dict[str, np.ndarray]:
    """By kind of mark, which runs have it."""
    kinds = {"healthy": healthy, "not learned": not_learned, "undetermined": undetermined, "failed": failed}
    return {name: holds(runs).to_numpy() for name, holds in kinds.items()}


def _look(kind: str, size: float) -> dict[str, object]:
    """How the mark of a run looks: white at its edge, so that marks which overlap are seen apart, if it is filled."""
    hollow = "fillstyle" in MARKS[kind]
    edge = {"markeredgewidth": 0.2 * size} if hollow else {"markeredgecolor": "white", "markeredgewidth": 0.07 * size}
    return MARKS[kind] | {"markersize": size} | edge


def _panel(axes: Axes, collected: Collected, rows: pd.DataFrame) -> Iterator[str]:
    """Draw a data set's methods; tell what is seen of its lines and of each method."""
    dataset, metric = rows[["dataset", "metric"]].iloc[0]
    info, null = collected.metrics[metric], null_of(collected, dataset, metric)
    of_data = collected.runs[collected.runs["dataset"] == dataset]
    untrained = untrained_of(collected, of_data, metric).median()
    lines = {"untrained": untrained, "noise": noise_of(collected, dataset, metric)}
    values = np.concatenate([final_values(of_data, metric), list(lines.values())])
    metric_scale(axes, info, shown_with(null, values), null, axis="x")
    draw_null(axes, null, axis="x")
    lines |= {} if null is None else {"real data": null.mean}
    lines = {name: value for name, value in lines.items() if np.isfinite(value)}
    data_title(axes, dataset, pad=8 + LINE * _lines(axes, lines))
    yield f"{info.title}: {', '.join(f'{name} {format_number(value)}' for name, value in lines.items())}"
    for y, row in enumerate(rows.to_dict("records")):
        yield _method(axes, y, row, of_data[of_data["method"] == row["method"]])
    axes.set_yticks(range(len(rows)), ["\n".join(textwrap.wrap(name, NAME)) for name in rows["method"]], color=INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, pad=6)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(better(info, axes.get_xscale()))
    plain_ticks(axes, "x", count=7)


def _lines(axes: Axes, lines: dict[str, float]) -> int:
    """Draw what the scores of runs are measured against, and name it above the panel, on as many lines of text as it
    takes for no name to lie on another; return their number."""
    looks = {"untrained": UNTRAINED, "noise": NOISE, "real data": REFERENCE}
    ends: list[float] = []  # of the names on each line
    to_panel = axes.transData + axes.transAxes.inverted()
    for name, value in sorted(lines.items(), key=lambda line: line[1]):
        axes.axvline(value, zorder=1, **looks[name])
        text = f"{name} {format_number(value)}"
        at, width = to_panel.transform((value, 0))[0], LETTER * len(text)
        start = min(max(at - width / 2, 0.0), 1.0 - width)
        line = next((place for place, end in enumerate(ends) if end < start), len(ends))
        ends[line : line + 1] = [start + width + LETTER]
        place = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "left", "va": "bottom"}
        axes.annotate(text, (start, 1), (0, 3 + LINE * line), fontsize=7.5, color=INK, **place)
    return len(ends)


def _method(axes: Axes, y: int, row: dict[str, object], runs: pd.DataFrame) -> str:
    """Draw a method's runs, its median and its counts; return them in words."""
    runs = runs.sort_values([*SETTING, "seed"])
    values, size = final_values(runs, row["metric"]), max(SMALLEST, SIZE * min(1.0, MAX_SINGLE / len(runs)) ** 0.5)
    places = y + np.linspace(-REACH, REACH, len(runs) + 2)[1:-1]
    for name, those in _kinds(runs).items():
        look = {"linestyle": "", "zorder": 3, "rasterized": len(runs) > MAX_VECTORS}
        axes.plot(values[those], places[those], **look, **_look(name, size))
    low, high = row["median_low"], row["median_high"]
    if np.isfinite([low, high]).any():  # or it is unknown, or lies beyond all values
        left, right = np.clip([low, high], *axes.get_xlim())
        axes.barh(y, right - left, 2 * REACH, left, zorder=0.8, **INTERVAL)
        for end, infinite, mark in ((left, np.isinf(low), "<"), (right, np.isinf(high), ">")):
            if infinite:
                axes.plot(end, y, marker=mark, color=COLOURS[0], markersize=5, clip_on=False, zorder=2)
    if np.isfinite(row["median"]):
        axes.vlines(row["median"], y - REACH, y + REACH, zorder=4, **MEDIAN)
    lost = int(np.isnan(values).sum())
    counts = [f"{row['healthy']} of {row['runs']} healthy"] + [f"{lost} without a value"] * bool(lost)
    beside = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
    axes.annotate("\n".join(counts), (1, y), (8, 0), fontsize=7.5, color=INK, **beside)
    middle = "no median" if np.isnan(row["median"]) else f"median {format_number(row['median'])}"
    if np.isfinite([low, high]).any():
        middle += f" ({format_range(low, high)})"
    if np.isfinite(values).any():
        middle += f", runs {format_range(np.nanmin(values), np.nanmax(values))}"
    return f"{row['method']}: {', '.join(counts)}, {middle}"
