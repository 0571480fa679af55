"""Lyapunov exponents of training: whether nearby trajectories separate or converge."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SETTING
from ganbench.analysis.settings import varying
from ganbench.report.diagnostic_results import values_by_run
from ganbench.report.display_names import method_names, numbers_in_words
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import legend_below
from ganbench.report.plotting.style import BAD, GOOD, INK, ODD, QUIET, nothing, plain_ticks

FIGURE = FigureInfo(
    title="Largest Lyapunov exponents",
    scope="experiment",
    diagnostic="lyapunov",
    caption=(
        "The largest Lyapunov exponent of every run with its 95% interval, coloured by regime. If it is positive,"
        " nearby trajectories separate exponentially; if it is negative, they converge. The runs of a setting are"
        " drawn below one another. At the right stand the numbers of runs that have no finite exponent, with their"
        " regimes: minus infinity, where a step maps a difference to 0; or none, where a run diverged after too few"
        " steps."
    ),
)

REGIMES = {0: ("fixed point", GOOD), 1: ("cycle", "#86a3ba"), 2: ("chaos", ODD), 3: ("divergence", BAD)}
UNKNOWN = ("no regime", QUIET)
ROWS = 44  # settings
SEEDS = 5  # runs of each with a finite exponent


def draw(collected: Collected, experiment: str) -> Figure:
    """Exponents with intervals: one row per method and learning rate."""
    table = values_by_run(collected, experiment)
    if "max_exponent" not in table or not np.isfinite(table["max_exponent"]).any():
        return nothing(f"{experiment}: no run has a finite Lyapunov exponent.")
    runs = collected.runs[collected.runs["run"].isin(table.index)]
    settings = list(runs.groupby(["method", *SETTING], sort=False, dropna=False))
    shown = settings
    if len(settings) > ROWS:
        indices = np.unique(np.linspace(0, len(settings) - 1, ROWS).round().astype(int))
        shown = [settings[index] for index in indices]
    words = method_names(runs)
    several = [axis for axis in varying(runs) if axis != "n_train"]
    figure = Figure(figsize=(9.2, 0.34 * len(shown) + 1.6), layout="constrained")
    axes = figure.add_subplot()
    found, labels, most = set(), [], 0
    for row, ((method, *_), mine) in enumerate(shown):
        text = textwrap.shorten(words[method], 60, placeholder=" ...")
        rates = numbers_in_words(mine.iloc[0], several)
        labels.append(f"{text}, {rates}" if rates else text)
        values = table.loc[mine["run"]]
        finite = np.isfinite(values["max_exponent"])
        found |= _row(axes, row, values[finite][:SEEDS])
        place = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
        axes.annotate("\n".join(_lost(values[~finite])), (1, row), (6, 0), fontsize=6.5, color=INK, **place)
        most = max(most, int(finite.sum()))
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.axvline(0, color=QUIET, linewidth=1.0, zorder=1)
    _scale(axes, table)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("largest Lyapunov exponent, 1/step")
    handles = [
        Line2D([], [], color=colour, marker="o", markersize=4, label=name)
        for name, colour in (*REGIMES.values(), UNKNOWN)
        if name in found
    ]
    fewer = f"Of a setting, at most {SEEDS} runs with a finite exponent are drawn." if most > SEEDS else ""
    legend_below(
        figure,
        handles,
        f"{len(shown)} of {len(settings)} settings are shown." if len(shown) < len(settings) else "",
        fewer,
    )
    return figure


def _row(axes: Axes, row: int, values: pd.DataFrame) -> set[str]:
    """Draw the finite exponents of a setting's runs, one below the other; the names of their regimes."""
    found = set()
    offsets = np.linspace(-0.3, 0.3, len(values)) if len(values) > 1 else np.zeros(len(values))
    for offset, (_, run) in zip(offsets, values.iterrows(), strict=True):
        name, colour = _regime(run)
        found.add(name)
        y, low, high = row + offset, run.get("low", np.nan), run.get("high", np.nan)
        axes.plot(run["max_exponent"], y, color=colour, marker="o", markersize=3.6, zorder=3)
        if np.isfinite(low) and np.isfinite(high):
            axes.hlines(y, low, high, color=colour, linewidth=1.3, zorder=2)
    return found


def _lost(values: pd.DataFrame) -> Iterator[str]:
    """How many runs have an exponent of minus infinity, and how many have none, with their regimes."""
    infinite = np.isneginf(values["max_exponent"])
    for words, mine in (("minus infinity", values[infinite]), ("without an exponent", values[~infinite])):
        counts = Counter(_regime(run)[0] for _, run in mine.iterrows())
        told = [name if len(counts) == 1 else f"{count} {name}" for name, count in counts.items()]
        if told:
            yield f"{len(mine)} {words}: {', '.join(told)}"


def _regime(run: pd.Series) -> tuple[str, str]:
    """The name and the colour of a run's regime."""
    return REGIMES.get(run.get("regime", np.nan), UNKNOWN)


def _scale(axes: Axes, table: pd.DataFrame) -> None:
    """Linear while the exponents are of one size, else linear around zero and logarithmic beyond."""
    sizes = table["max_exponent"].abs().to_numpy()
    sizes = sizes[np.isfinite(sizes) & (sizes > 1e-15)]
    if len(sizes) and sizes.max() > 30 * np.median(sizes):
        axes.set_xscale("symlog", linthresh=max(float(np.quantile(sizes, 0.25)), sizes.max() * 1e-6), linscale=0.6)
        plain_ticks(axes, "x")
    else:
        plain_ticks(axes, "x", count=7)
