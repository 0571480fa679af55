"""Figures of several studies side by side: final scores and failure rates of the settings that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from ganbench.analysis.columns import SETTING
from ganbench.analysis.methods import failed, final_values
from ganbench.analysis.side_by_side import Side
from ganbench.core.formatting import format_number
from ganbench.core.metric_info import MetricInfo
from ganbench.report.display_names import numbers_in_words
from ganbench.report.plotting import style
from ganbench.report.plotting.setting_panels import better

MARKERS = ("o", "s", "^", "D", "v", "P")
HOLLOW = {"markerfacecolor": "white"}  # of failed runs
MAX_ROWS = 40  # settings of a figure
FAILURES = (
    "The share of failed runs, whatever the failure, with its 95% Wilson interval; runs of which it is not known count"
    " as not failed for its lower end and as failed for its upper one. One colour and mark per study. The findings say"
    " where studies do not look for the same failures in the same way, so that rates do not compare."
)
SCORES = (
    "Every mark is a run at its end, hollow if it failed; a bar is the median over all runs of the setting, of which"
    " failed ones count as worse than any: without a bar, half of the runs or more failed. One colour and mark per"
    " study. At the right stand the numbers of runs without a final value (n/a), which diverged, were stopped early or"
    " could not be measured."
)


def failures(settings: pd.DataFrame, names: Sequence[str]) -> Figure:
    """The failure rate of every setting that several studies have, with its interval.

    Args:
        settings: the table of `ganbench.analysis.side_by_side.settings`.
        names: the studies.
    """
    rows = labels(settings)
    if not rows:
        return style.nothing("No setting is shared by these studies.")
    figure, axes = _canvas(rows, len(names))
    for study, colour, marker, shift in _studies(names):
        mine = settings[settings["study"] == study]
        for row in mine.to_dict("records"):
            at = rows.get(label(row))
            if at is not None:
                ends = [row["failure_low"], row["failure_high"]]
                axes.plot(ends, [at + shift] * 2, color=colour, linewidth=1.4, solid_capstyle="butt")
                middle = row["failure_rate"] if pd.notna(row["failure_rate"]) else np.nan
                axes.plot([middle], [at + shift], marker, color=colour, markersize=4)
    axes.set(xlim=(-0.02, 1.02), xlabel="share of failed runs")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], labels=["0%", "25%", "50%", "75%", "100%"])
    _legend(figure, names)
    style.describe(figure, _by_setting(settings, rows, failed_in_words))
    return figure


def scores(sides: Sequence[Side], settings: pd.DataFrame, metric: str, info: MetricInfo) -> Figure:
    """A metric at the end of every run of the settings that several studies have on a data set, and the medians.

    Args:
        sides: the studies in which the metric is the same.
        settings: the table of `ganbench.analysis.side_by_side.settings`, of these studies and the data set.
        metric: the metric.
        info: its description.
    """
    rows, names = labels(settings), [side.name for side in sides]
    figure, axes = _canvas(rows, len(names))
    drawn, lost = [], {}
    for side, (_, colour, marker, shift) in zip(sides, _studies(names), strict=True):
        for row in settings[settings["study"] == side.name].to_dict("records"):
            at = rows.get(label(row))
            if at is None:
                continue
            runs = side.runs([row["method"]])
            for axis in SETTING:
                runs = runs[runs[axis].isna() if pd.isna(row[axis]) else runs[axis] == row[axis]]
            values, bad = final_values(runs, metric), failed(runs).to_numpy()
            drawn += [*values[np.isfinite(values)]]
            look = {"color": colour, "marker": marker, "linestyle": "", "markersize": 4}
            for those, filled in ((~bad, {}), (bad, HOLLOW)):
                axes.plot(values[those], np.full(those.sum(), at + shift), alpha=0.75, **look, **filled)
            missing = np.isnan(values)
            lost[label(row), side.name] = f", {missing.sum()} n/a" * bool(missing.any())
            if missing.any():
                _beside(axes, at + shift, f"{missing.sum()} n/a", look | (HOLLOW if bad[missing].all() else {}))
            axes.plot([row[f"{metric}_median"]], [at + shift], "|", color=colour, markersize=11, markeredgewidth=2)
    if drawn and min(drawn) > 0 and max(drawn) > 20 * min(drawn):
        axes.set_xscale("log")
    style.plain_ticks(axes, "x")
    axes.set_xlabel(better(info, axes.get_xscale()))
    _legend(figure, names, [Line2D([], [], color=style.QUIET, marker="o", linestyle="", label="failed", **HOLLOW)])

    def words(row: dict[str, object]) -> str:
        return f"median {format_number(row[f'{metric}_median'])}{lost.get((label(row), row['study']), '')}"

    style.describe(figure, _by_setting(settings, rows, words))
    return figure


def labels(settings: pd.DataFrame) -> dict[str, int]:
    """The settings that several studies have, by their words, with their places from the top."""
    shared = settings[settings["studies"] > 1]
    found = dict.fromkeys(label(row) for row in shared.to_dict("records"))
    return {text: place for place, text in enumerate(list(found)[:MAX_ROWS])}


def label(row: dict[str, object]) -> str:
    """A setting in words."""
    return ", ".join(filter(None, [str(row["compared"]), numbers_in_words(row, SETTING)]))


def failed_in_words(row: dict[str, object]) -> str:
    """How many runs of a setting failed: "4 of 5 failed", with ? where that is known of none."""
    return f"{'?' if pd.isna(row['failed']) else row['failed']} of {row['runs']} failed"


def _by_setting(
    settings: pd.DataFrame, rows: Mapping[str, int], words: Callable[[dict[str, object]], str]
) -> Iterator[str]:
    """Every setting of a figure, with words on each study."""
    told: dict[str, list[str]] = {text: [] for text in rows}
    for row in settings.to_dict("records"):
        if label(row) in told:
            told[label(row)].append(f"{row['study']} {words(row)}")
    return (f"{text}: {', '.join(studies)}" for text, studies in told.items())


def _canvas(rows: dict[str, int], studies: int) -> tuple[Figure, Axes]:
    each = max(0.42, 0.21 * (studies - 1))  # inches, in which the words beside a row have a line per study
    figure = Figure(figsize=(9.6, each * len(rows) + 1.5), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(list(rows.values()), labels=list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=True, axis="x")
    return figure, axes


def _beside(axes: Axes, y: float, text: str, look: dict[str, object]) -> None:
    """Words at the right of a panel, after a study's mark."""
    edge = axes.get_yaxis_transform()
    axes.plot(1, y, transform=edge + ScaledTranslation(8 / 72, 0, axes.figure.dpi_scale_trans), clip_on=False, **look)
    place = {"xycoords": edge, "textcoords": "offset points", "va": "center"}
    axes.annotate(text, (1, y), (13, 0), fontsize=6.5, color=style.INK, **place)


def _studies(names: Sequence[str]) -> list[tuple[str, tuple, str, float]]:
    """Every study with its colour, its mark and its place within the row of a setting."""
    colours = sns.color_palette("colorblind", len(names))
    shifts = np.linspace(-0.22, 0.22, len(names)) if len(names) > 1 else [0.0]
    return list(zip(names, colours, islice(cycle(MARKERS), len(names)), map(float, shifts), strict=True))


def _legend(figure: Figure, names: Sequence[str], more: Sequence[Line2D] = ()) -> None:
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=name)
        for name, colour, marker, _ in _studies(names)
    ]
    style.figure_legend(figure, handles + list(more))
