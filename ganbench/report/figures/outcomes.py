"""How the runs of every setting ended."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import methods
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.setting_panels import panel_title, rows_of, settings_of
from ganbench.report.plotting.style import (
    INK,
    OUTCOME_COLOURS,
    describe,
    figure_legend,
    outcome_label,
    outcomes_present,
)

FIGURE = FigureInfo(
    title="How the runs ended",
    scope="study",
    caption=(
        "One bar per setting, divided into the shares of its runs with each outcome; the numbers count runs, one per"
        " seed. Of several outcomes that hold for a run, the most severe counts. Bars in blue or sand are runs"
        " that converged, still improved or had not learned yet. Grey ones are undetermined: it is not known whether"
        " these failed. Bars of any other colour are runs that failed."
    ),
)


def draw(collected: Collected) -> Figure:
    """Stacked outcome shares: one panel per method, one bar per setting."""
    runs, names = collected.runs, methods(collected)
    shown = outcomes_present(runs["outcome"])
    bars = {name: list(_bars(runs[runs["method"] == name])) for name in names}
    chunks = rows_of(names)
    columns = len(chunks[0])
    heights = [max(len(bars[name]) for name in chunk) for chunk in chunks]
    figure = Figure(
        figsize=(10.8 if columns > 1 else 6, 0.27 * sum(heights) + 0.75 * len(chunks) + 0.7), layout="constrained"
    )
    panels = figure.subplots(
        len(chunks), columns, squeeze=False, gridspec_kw={"height_ratios": [height + 1.5 for height in heights]}
    )
    for index, axes in enumerate(panels.flat):
        if index >= len(names):
            axes.set_axis_off()
            continue
        name, tallest = names[index], heights[index // columns]
        panel_title(axes, name)
        axes.grid(visible=False)
        for y, (_, mine) in enumerate(bars[name]):
            left = 0.0
            for outcome in shown:
                count = int((mine["outcome"] == outcome).sum())
                if count:
                    share = count / len(mine)
                    axes.barh(y, share, left=left, height=0.78, color=OUTCOME_COLOURS[outcome], edgecolor="white")
                    axes.text(
                        left + share / 2, y, str(count), ha="center", va="center", fontsize=7.5, color=_ink(outcome)
                    )
                    left += share
        axes.set_yticks(range(len(bars[name])), [words for words, _ in bars[name]])
        axes.tick_params(axis="y", length=0)
        # Every panel of a row spans as many bars as the longest, so that bars are equally thick throughout.
        axes.set(xlim=(0, 1), ylim=(tallest - 0.4, -0.6))
        axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
        axes.spines["left"].set_visible(False)
    handles = [Patch(color=OUTCOME_COLOURS[outcome], label=outcome_label(outcome)) for outcome in shown]
    figure_legend(figure, handles)
    describe(figure, (_words(name, runs[runs["method"] == name]) for name in names))
    return figure


def _words(method: str, runs: pd.DataFrame) -> str:
    """A method's outcomes with their numbers of runs."""
    counts = ", ".join(f"{(runs['outcome'] == each).sum()} {each}" for each in outcomes_present(runs["outcome"]))
    return f"{method}: {counts} of {len(runs)} runs"


def _ink(outcome: str) -> str:
    """What is legible on the bar's colour, by its luminance (ITU-R BT.709)."""
    red, green, blue = to_rgb(OUTCOME_COLOURS[outcome])
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.4 else "white"


def _bars(runs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Settings that were run, in words, with their runs."""
    for _, words, mine in settings_of(runs):
        if len(mine):
            yield words or "all runs", mine
