"""Lyapunov exponents of training: whether nearby trajectories separate or converge."""

from __future__ import annotations

import textwrap

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
from ganbench.report.plotting.style import BAD, GOOD, ODD, QUIET, nothing, plain_ticks

FIGURE = FigureInfo(
    title="Largest Lyapunov exponents",
    scope="experiment",
    diagnostic="lyapunov",
    caption=(
        "The largest Lyapunov exponent of every run with its 95% interval, coloured by regime. If it is positive,"
        " nearby trajectories separate exponentially; if it is negative, they converge. The runs of a setting are"
        " drawn below one another."
    ),
)

REGIMES = {0: ("fixed point", GOOD), 1: ("cycle", "#86a3ba"), 2: ("chaos", ODD), 3: ("divergence", BAD)}
UNKNOWN = ("no regime", QUIET)
ROWS = 44  # settings
SEEDS = 5  # runs of each


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
    found, labels = set(), []
    for row, ((method, *_), mine) in enumerate(shown):
        text = textwrap.shorten(words[method], 60, placeholder=" ...")
        rates = numbers_in_words(mine.iloc[0], several)
        labels.append(f"{text}, {rates}" if rates else text)
        found |= _row(axes, row, table.loc[mine["run"][:SEEDS]])
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.axvline(0, color=QUIET, linewidth=1.0, zorder=1)
    _scale(axes, table)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("largest Lyapunov exponent, 1/step")
    named = [REGIMES.get(regime, UNKNOWN) for regime in sorted(found)]
    handles = [Line2D([], [], color=colour, marker="o", markersize=4, label=name) for name, colour in named]
    fewer = f"At most {SEEDS} runs of a setting are shown." if max(len(mine) for _, mine in shown) > SEEDS else ""
    legend_below(
        figure,
        handles,
        f"{len(shown)} of {len(settings)} settings are shown." if len(shown) < len(settings) else "",
        fewer,
    )
    return figure


def _row(axes: Axes, row: int, values: pd.DataFrame) -> set[int]:
    """A setting's runs, one below the other; the regimes that they are in."""
    found = set()
    offsets = np.linspace(-0.3, 0.3, len(values)) if len(values) > 1 else [0.0]
    for offset, (_, run) in zip(offsets, values.iterrows(), strict=True):
        regime = int(run["regime"]) if np.isfinite(run.get("regime", np.nan)) else -1
        colour = REGIMES.get(regime, UNKNOWN)[1]
        y, low, high = row + offset, run.get("low", np.nan), run.get("high", np.nan)
        if np.isfinite(run["max_exponent"]):
            found.add(regime)
            axes.plot(run["max_exponent"], y, color=colour, marker="o", markersize=3.6, zorder=3)
            if np.isfinite(low) and np.isfinite(high):
                axes.hlines(y, low, high, color=colour, linewidth=1.3, zorder=2)
    if not np.isfinite(values["max_exponent"]).any():
        text = "minus infinity" if np.isneginf(values["max_exponent"]).any() else "no exponent"
        axes.text(0, row, f"  {text}", va="center", fontsize=7.5, color=QUIET)
    return found


def _scale(axes: Axes, table: pd.DataFrame) -> None:
    """Linear while the exponents are of one size, else linear around zero and logarithmic beyond."""
    sizes = table["max_exponent"].abs().to_numpy()
    sizes = sizes[np.isfinite(sizes) & (sizes > 1e-15)]
    if len(sizes) and sizes.max() > 30 * np.median(sizes):
        axes.set_xscale("symlog", linthresh=max(float(np.quantile(sizes, 0.25)), sizes.max() * 1e-6), linscale=0.6)
        plain_ticks(axes, "x")
    else:
        plain_ticks(axes, "x", count=7)
