"""Which modes of the data generators draw over training, and which they forget."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_number
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.style import (
    INK,
    OUTCOME_COLOURS,
    OUTCOME_MARKERS,
    QUIET,
    describe,
    nothing,
    outcome_legend,
    outcomes_present,
    plain_ticks,
)

FIGURE = FigureInfo(
    title="Modes over training",
    scope="method",
    caption=(
        "Three runs of the method, those with the least, the middle and the most forgetting, or the first, the middle"
        " and the last one where no run's is known: the share of examples that fall on each mode of the data beyond the"
        " judge's doubt, snapshot by snapshot, in units of the mode's share of the real data. White is the fair share,"
        " brown less, green more; grey could not be judged, or is a mode without real examples. To the right,"
        " every run of the method: how far each mode was forgotten at the last networks, 1 where it once had its fair"
        " share and is gone, below 0 where it never had more; the bar is the median over the runs."
    ),
)

RUNS = 3
MAX_SHARE = 2.0  # times the fair share that colours tell apart
COLOURS = "BrBG"
LABELS = 8  # along the snapshots
MAX_MODE_LABELS = 20
MAX_MARKS = 2_000  # of more, the vector drawing holds a picture: it would take a hundred bytes for each


def draw(collected: Collected, method: str) -> Figure:
    """A map of modes and snapshots for each of a few runs, and the modes that all runs forgot."""
    runs = collected.runs[collected.runs["method"] == method].set_index("run", drop=False)
    table = collected.modes[collected.modes["run"].isin(runs.index)]
    if table.empty:
        return nothing(f"{method}: its judge tells no modes apart, or more than the table of modes has room for.")
    shown, modes = _shown(runs, table), table["mode"].max() + 1
    ended = runs["mode_forgetting"].notna().any()
    columns = len(shown) + ended
    figure = Figure(figsize=(2.9 * columns + 1.1, min(0.16 * modes, 7.0) + 1.9), layout="constrained")
    panels = figure.subplots(1, columns, squeeze=False, sharey=True)[0]
    for axes, name in zip(panels, shown, strict=False):
        drawn = _map(axes, table[table["run"] == name], runs.loc[name])
    _colour_bar(figure, drawn, panels[: len(shown)])
    if ended:
        _forgotten(panels[-1], table, runs)
        shown_outcomes = runs.loc[runs["mode_forgetting"].notna(), "outcome"]
        outcome_legend(figure, outcomes_present(shown_outcomes), lines=False)
    ticks = np.unique(np.linspace(0, modes - 1, min(modes, MAX_MODE_LABELS)).round().astype(int))
    panels[0].set_yticks(ticks)
    panels[0].set(ylabel="mode", ylim=(modes - 0.5, -0.5))
    describe(figure, (f"run {name}: {_ended(runs.loc[name])}" for name in shown))
    return figure


def _shown(runs: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Up to `RUNS` runs whose forgetting is known, evenly spaced from the least to the most; where it is known of no
    run, as where all diverged, evenly spaced from the first to the last of the table."""
    known = runs["mode_forgetting"].dropna().sort_values(kind="stable").index
    names = list(known) if len(known) else [name for name in runs.index if name in set(table["run"])]
    return [names[index] for index in np.unique(np.linspace(0, len(names) - 1, RUNS).round().astype(int))]


def _map(axes: Axes, table: pd.DataFrame, run: pd.Series) -> AxesImage:
    wide = table.assign(ratio=table["confident_share"] / table["real_share"]).pivot(
        index="mode", columns="step", values="ratio"
    )
    axes.set_facecolor(QUIET)
    drawn = axes.imshow(wide, cmap=COLOURS, vmin=0, vmax=MAX_SHARE, aspect="auto", interpolation="nearest")
    axes.grid(False)
    steps = np.unique(np.linspace(0, wide.shape[1] - 1, min(wide.shape[1], LABELS)).round().astype(int))
    axes.set_xticks(steps, [format_number(wide.columns[index]) for index in steps], rotation=60)
    axes.set_xlabel("training step")
    setting = (
        f"rate {format_number(run['learning_rate'])}, {format_number(run['n_train'])} examples, seed {run['seed']}"
    )
    axes.set_title("\n".join([setting, _ended(run)]))
    return drawn


def _ended(run: pd.Series) -> str:
    """A run's outcome and how much it forgot."""
    forgot = run["mode_forgetting"]
    return run["outcome"] + ("" if pd.isna(forgot) else f", forgot {forgot:.2f}")


def _colour_bar(figure: Figure, drawn: AxesImage, panels: np.ndarray) -> Colorbar:
    bar = figure.colorbar(drawn, ax=list(panels), shrink=0.9, pad=0.02, ticks=[0, 1, MAX_SHARE])
    bar.set_ticklabels(["0", "fair", f"{MAX_SHARE:g}+"])
    bar.outline.set_visible(False)
    return bar


def _forgotten(axes: Axes, table: pd.DataFrame, runs: pd.DataFrame) -> None:
    """Every run's forgetting of each mode at its last networks."""
    table = table.merge(runs[["steps", "outcome"]], left_on="run", right_index=True)
    ends = table[(table["step"] == table["steps"]) & table["forgetting"].notna()]
    wide = ends.pivot(index="run", columns="mode", values="forgetting")
    offsets = np.linspace(-0.3, 0.3, len(wide)) if len(wide) > 1 else np.zeros(1)
    places, outcomes = np.add.outer(offsets, wide.columns.to_numpy()), runs.loc[wide.index, "outcome"].to_numpy()
    for outcome in outcomes_present(outcomes):  # a line of each run would take seconds and megabytes of many
        mine = outcomes == outcome
        style = {"color": OUTCOME_COLOURS[outcome], "marker": OUTCOME_MARKERS[outcome], "linestyle": ""}
        many = wide.size > MAX_MARKS
        axes.plot(wide[mine].to_numpy().ravel(), places[mine].ravel(), markersize=2.5, rasterized=many, **style)
    medians = wide.median()
    axes.vlines(medians, medians.index - 0.38, medians.index + 0.38, color=INK, linewidth=1.4)
    axes.axvline(0, color=QUIET, linewidth=0.7)
    axes.grid(False, axis="y")
    axes.grid(True, axis="x")
    axes.set(xlim=(min(-0.05, 1.1 * wide.min(axis=None)), 1.05), xlabel="forgetting at the end")
    plain_ticks(axes, "x", count=4)
    axes.set_title(f"all {len(wide)} runs\nwith a last snapshot")
