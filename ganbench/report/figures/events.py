"""What the discriminator did around the spikes of the generator's loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.analysis.event_study import EventStudy, event_study, standardise
from ganbench.analysis.events import EVENT_KINDS
from ganbench.analysis.methods import methods
from ganbench.analysis.outcomes._spikes import bins_for_spikes
from ganbench.analysis.recorded_series import recorded_series
from ganbench.core.formatting import plural
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.many_runs import draw_spans
from ganbench.report.plotting.style import FAINT, INK, PLAYER_COLOURS, QUIET, figure_legend, nothing, plain_ticks

FIGURE = FigureInfo(
    title="Events",
    scope="study",
    order=3,
    caption=(
        "Left: when events happened, one row per method and kind, one mark per event of any run, wide where it lasted;"
        " of a method with more than thirty runs, the height of a curve is the share of its runs with an event there,"
        " whose largest value stands at the right. Right: the mean course of the discriminator's loss and of the"
        " generator's gradient around the starts of spikes of the generator's loss, in robust standard deviations of a"
        " run. The band holds 95% of such means around as many random steps of the same runs, of those that have the"
        " past which a spike stands out of; p is of one test over the whole window."
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


def draw(collected: Collected) -> Figure:
    """Events over training, and event studies around the spikes of the generator's loss."""
    if collected.events.empty:
        return nothing("No event was seen in any run: no spike, saturation, rejection, relapse or mode hop.")
    runs = collected.runs.set_index("run")
    events = collected.events.assign(method=collected.events["run"].map(runs["method"]))
    seen = set(zip(events["method"], events["kind"], strict=True))
    rows = [(name, kind) for name in methods(collected) for kind in KINDS if (name, kind) in seen]
    figure = Figure(figsize=(10.8, max(3.4, 0.3 * len(rows) + 1.6)), layout="constrained")
    panels = figure.subplots(1, 1 + len(STUDIED), width_ratios=[1.7, *(1 for _ in STUDIED)])
    _raster(panels[0], events, rows, runs)
    studies = studies_of(collected)
    for axes, (series, (words, colour)) in zip(panels[1:], STUDIED.items(), strict=True):
        axes.set_title(words)
        _study(axes, studies[series], colour)
    handles = [
        Line2D([], [], color=colour, marker="s", linestyle="", label=kind.replace("-", " "))
        for kind, colour in KINDS.items()
    ]
    figure_legend(figure, handles)
    return figure


def studies_of(collected: Collected) -> dict[str, EventStudy | None]:
    """By series of `STUDIED`, its event study around the spikes of the generator's loss, over all runs; None without
    such spikes."""
    spikes = collected.events[(collected.events["kind"] == "spike") & (collected.events["of"] == AROUND)]
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


def _raster(axes: Axes, events: pd.DataFrame, rows: list[tuple[str, str]], runs: pd.DataFrame) -> None:
    """Events over the share of training, so that runs of different lengths lie above one another."""
    runs_of = runs["method"].value_counts()
    for y, (name, kind) in enumerate(rows):
        mine = events[(events["method"] == name) & (events["kind"] == kind)]
        length = mine["run"].map(runs["steps"]).to_numpy(dtype=np.float64)
        # A hop is dated by the two snapshots between which it happened: it is drawn at the later one.
        start = mine["end" if kind == "mode-hop" else "start"].to_numpy()
        left, right = start / length, mine["end"].to_numpy() / length
        draw_spans(axes, y, left, right, mine["run"].to_numpy(), runs_of[name], KINDS[kind])
    first = [y == 0 or rows[y - 1][0] != name for y, (name, _) in enumerate(rows)]
    axes.set_yticks(range(len(rows)), [name if new else "" for (name, _), new in zip(rows, first, strict=True)])
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6), xlabel="share of training")
    axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.grid(visible=False)
    axes.set_title(plural(len(events), "event"))


def _study(axes: Axes, found: EventStudy | None, colour: str) -> None:
    if found is None:
        text = "no spike of the generator's\nloss has a whole window"
        axes.text(0.5, 0.5, text, ha="center", va="center", color=QUIET, transform=axes.transAxes)
        axes.set_axis_off()
        return
    axes.fill_between(found.lags, found.low, found.high, color=FAINT, linewidth=0)
    axes.plot(found.lags, found.mean, color=colour, linewidth=1.5)
    axes.axvline(0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    p_value = f"p = {found.p_value:.2g}" if found.p_value > 1 / (DRAWS + 1) else f"p < {1 / DRAWS:.1g}"
    text = f"{plural(found.events, 'spike')}, {p_value}"
    axes.text(0.97, 0.97, text, ha="right", va="top", fontsize=8, color=QUIET, transform=axes.transAxes)
    axes.set(xlabel="bins from the start of the spike", ylabel="standard deviations")
    plain_ticks(axes, "x", count=4)
