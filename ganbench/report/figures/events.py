"""What the discriminator did around the spikes of the generator's loss."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.event_study import EventStudy, event_study, standardise
from ganbench.analysis.events import EVENT_KINDS
from ganbench.analysis.methods import methods
from ganbench.analysis.outcomes._spikes import bins_for_spikes
from ganbench.analysis.recorded_series import recorded_series
from ganbench.core.formatting import plural
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.many_runs import draw_spans
from ganbench.report.plotting.style import FAINT, INK, PLAYER_COLOURS, QUIET, describe, heading, nothing, plain_ticks

FIGURE = FigureInfo(
    title="Events",
    scope="study",
    order=3,
    caption=(
        "Left: when events happened, one row per method and kind, with their number; one mark per event of any run,"
        " wide where it lasted. Mode hops happened between two snapshots: the height of their curve is the share of"
        " the method's runs with a hop there, whose largest value stands at the right, and so are all events of a"
        " method with more than thirty runs. Right: the mean course of the discriminator's loss and of the generator's"
        " gradient around the starts of spikes of the generator's loss, in robust standard deviations of a run; fewer"
        " than five spikes have none. All spikes count alike, so that the mean is mostly that of the method and of the"
        " runs with the most of them; spikes without a whole window or a past are left out. The band holds 95% of such"
        " means where the spikes of each run are moved together to other steps, of those that have the past which a"
        " spike stands out of; p is of one test over the whole window."
    ),
)

KINDS = dict(zip(EVENT_KINDS, ("#2a9d8f", "#aa4499", "#ddaa33", "#0072b2", "#cc6677"), strict=True))
STUDIED = {
    "discriminator_loss": ("discriminator's loss", PLAYER_COLOURS["discriminator_loss"]),
    "generator_gradient_norm": ("generator's gradient", "#cc6677"),
}
BEFORE, AFTER = 8, 17  # bins of the window around the start of an event
DRAWS, SEED = 999, 20240607
AROUND = "generator_loss"
WIDE, LINE = 42, 11  # letters of a line above a panel, and its height in points
MIN_SPIKES = 5  # spikes of which a mean course is shown


def draw(collected: Collected) -> Figure:
    """Events over training, and event studies around the spikes of the generator's loss."""
    if collected.events.empty:
        return nothing("No event was seen in any run: no spike, saturation, rejection, relapse or mode hop.")
    runs = collected.runs.set_index("run")
    events = collected.events.assign(method=collected.events["run"].map(runs["method"]))
    counts = events.groupby(["method", "kind"]).size()
    spikes = events.loc[(events["kind"] == "spike") & (events["source"] == AROUND), "method"].value_counts()
    rows: list[tuple[str, str | None]] = []  # of every method with events its name, and below it their kinds
    for name in methods(collected):
        mine = [(name, kind) for kind in KINDS if (name, kind) in counts]
        rows += [(name, None), *mine] if mine else []
    studies = {name: found for name, found in studies_of(collected).items() if found and found.events >= MIN_SPIKES}
    size = (10.8 if studies else 7.0, max(3.4, 0.3 * len(rows) + 1.2))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, 1 + len(studies), width_ratios=[1.7, *(1 for _ in studies)], squeeze=False)[0]
    _raster(panels[0], events, rows, runs, counts)
    for axes, (series, found) in zip(panels[1:], studies.items(), strict=True):
        words, colour = STUDIED[series]
        _study(axes, found, spikes, colour)
        heading(axes, words, above=4 + LINE * axes.get_title("left").count("\n") + LINE, bold=False)
    seen = [f"{name}: {_counted(counts[name])}" for name, kind in rows if kind is None]
    describe(
        figure,
        seen + [f"{STUDIED[name][0]} around {', '.join(_result(found, spikes))}" for name, found in studies.items()],
    )
    return figure


def _counted(counts: pd.Series) -> str:
    """Events by kind, with their numbers."""
    return ", ".join(f"{kind.replace('-', ' ')} {counts[kind]:,}" for kind in KINDS if kind in counts)


def studies_of(collected: Collected) -> dict[str, EventStudy | None]:
    """By series of `STUDIED`, its event study around the spikes of the generator's loss, over all runs; None without
    such spikes."""
    spikes = collected.events[(collected.events["kind"] == "spike") & (collected.events["source"] == AROUND)]
    rows = collected.curves.groupby("run").indices
    found: dict[str, tuple[list, list, list]] = {name: ([], [], []) for name in STUDIED}
    for run, mine in spikes.groupby("run"):
        recorded = recorded_series(collected.curves.iloc[rows[run]])
        for name in found.keys() & recorded.keys():
            series, (courses, starts, first) = recorded[name], found[name]
            courses.append(standardise(series.mean))
            starts.append(np.searchsorted(series.first, mine["start"].to_numpy()).tolist())
            first.append(bins_for_spikes(series.width) // 2)  # a spike stands out of a past
    window = {"before": BEFORE, "after": AFTER, "draws": DRAWS}
    return {name: event_study(*each, **window, generator=np.random.default_rng(SEED)) for name, each in found.items()}


def _raster(
    axes: Axes, events: pd.DataFrame, rows: list[tuple[str, str | None]], runs: pd.DataFrame, counts: pd.Series
) -> None:
    """Events over the share of training, so that runs of different lengths lie above one another."""
    runs_of = runs["method"].value_counts()
    for y, (name, kind) in enumerate(rows):
        if kind is None:
            axes.text(0.005, y + 0.3, name, fontsize=8, fontweight="bold", va="bottom")
            continue
        mine = events[(events["method"] == name) & (events["kind"] == kind)]
        length = mine["run"].map(runs["steps"]).to_numpy(dtype=np.float64)
        left, right = mine["start"].to_numpy() / length, mine["end"].to_numpy() / length
        owners = mine["run"].to_numpy()
        draw_spans(axes, y, left, right, owners, runs_of[name], KINDS[kind], counted=kind == "mode-hop")
    kinds = {y: row for y, row in enumerate(rows) if row[1] is not None}
    axes.set_yticks(list(kinds), [f"{row[1].replace('-', ' ')}: {counts[row]:,}" for row in kinds.values()])
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6), xlabel="share of training")
    axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.grid(visible=False)
    axes.set_title(plural(len(events), "event"))


def _study(axes: Axes, found: EventStudy, spikes: pd.Series, colour: str) -> None:
    axes.fill_between(found.lags, found.low, found.high, color=FAINT, linewidth=0)
    axes.plot(found.lags, found.mean, color=colour, linewidth=1.5)
    axes.axvline(0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    text = "\n".join(textwrap.fill(line, WIDE) for line in _result(found, spikes))
    axes.set_title(text, loc="left", fontsize=7.5, color=QUIET)
    axes.set(xlabel="bins from the start of the spike", ylabel="standard deviations")
    plain_ticks(axes, "x", count=4)


def _result(found: EventStudy, spikes: pd.Series) -> list[str]:
    """The number of spikes that count, of all, the method with the most of them, and the p-value of the mean course.

    Args:
        found: the event study.
        spikes: by method, the number of all spikes, the largest first.
    """
    p_value = f"p = {found.p_value:.2g}" if found.p_value > 1 / (DRAWS + 1) else f"p < {1 / DRAWS:.1g}"
    counted = f"{found.events} of {plural(int(spikes.sum()), 'spike')}, in {plural(found.runs, 'run')}, {p_value}"
    most = f"{spikes.iloc[0]} of the {spikes.sum()} in {spikes.index[0]}"
    return [counted, most] if len(spikes) > 1 else [counted]
