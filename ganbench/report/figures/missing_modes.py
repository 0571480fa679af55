"""How clearly the Fréchet distance, recall and coverage show that classes are missing from real examples."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import leftmost, legend_below, panel_blocks
from ganbench.report.plotting.null_band import BAND
from ganbench.report.plotting.style import REFERENCE, nothing, plain_ticks

FIGURE = FigureInfo(
    title="What metrics see of missing classes",
    scope="experiment",
    diagnostic="missing_modes",
    caption=(
        "Real held-out examples without some of their classes, scored as if they were generated. Above, the change of"
        " each score for the worse in units of its standard deviation with all classes there: within the band of two"
        " standard deviations nothing is seen. Below, the scores themselves, recall and coverage from 0 to 1 at the"
        " left, the Fréchet distance at the right. The numbers are of the data set alone, whatever was trained on it."
    ),
)

SIGNS = {
    "fd": ("#332288", "o", "Fréchet distance"),
    "recall": ("#d55e00", "s", "recall"),
    "coverage": ("#2a9d8f", "^", "coverage"),
}
MAX_TICKS = 7
LINEAR = 2.0  # standard deviations, up to which responses are drawn linearly


def draw(collected: Collected, experiment: str) -> Figure:
    """Two panels for each data set: responses, and scores."""
    shown: dict[str, DiagnosticArrays] = {}
    for result in arrays_of_runs(collected, experiment, ("deleted", "fd_response")):
        shown.setdefault(str(result.run["dataset"]), result)  # the same for all runs on a data set
    if not shown:
        return nothing(f"{experiment}: no run is on data with held-out examples enough.")
    figure, blocks = panel_blocks(list(shown), width=3.2, height=2.1, rows=(1.0, 0.7), most=3)
    for (response, scores), result in zip(blocks, shown.values(), strict=True):
        _responses(response, result.arrays)
        _scores(scores, result.arrays)
    for response, scores in leftmost(blocks, 3):
        response.set_ylabel("change / deviation")
        scores.set_ylabel("recall, coverage")
    handles = [Line2D([], [], color=c, marker=m, markersize=4, label=label) for c, m, label in SIGNS.values()]
    legend_below(figure, handles)
    return figure


def _responses(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    axes.axhspan(-LINEAR, LINEAR, zorder=0.5, **BAND)
    axes.axhline(0, **REFERENCE)
    for name, (colour, marker, _) in SIGNS.items():
        axes.plot(
            arrays["deleted"], arrays[f"{name}_response"], color=colour, marker=marker, markersize=4, linewidth=1.3
        )
    if np.nanmax([np.abs(arrays[f"{name}_response"]).max() for name in SIGNS]) > 10 * LINEAR:
        axes.set_yscale("symlog", linthresh=LINEAR, linscale=0.5)
    plain_ticks(axes, "y", count=4)
    _whole_ticks(axes, arrays)


def _scores(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    right = axes.twinx()
    right.grid(visible=False)
    for name, (colour, marker, _) in SIGNS.items():
        panel = right if name == "fd" else axes
        panel.errorbar(
            *(arrays["deleted"], arrays[name], arrays[f"{name}_deviation"]),
            **{"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.3, "elinewidth": 0.8},
        )
    axes.set(ylim=(-0.05, 1.05), xlabel="missing classes")
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    right.set_ylim(bottom=0)
    right.spines["right"].set(visible=True, color=SIGNS["fd"][0])
    plain_ticks(right, "y", count=3)
    _whole_ticks(axes, arrays)


def _whole_ticks(axes: Axes, arrays: dict[str, np.ndarray]) -> None:
    """Ticks at numbers of classes that were tried, of many at every second, third ..."""
    deleted = arrays["deleted"].astype(int)
    axes.set_xticks(deleted[:: -(-len(deleted) // MAX_TICKS)])
