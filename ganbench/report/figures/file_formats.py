"""Times to write and read weights in each format of files, and the damage that passes unnoticed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_number
from ganbench.report.diagnostic_results import values_by_run
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import legend_below
from ganbench.report.plotting.method_lines import COLOURS
from ganbench.report.plotting.style import nothing, plain_ticks

FIGURE = FigureInfo(
    title="Formats of files with weights",
    scope="experiment",
    diagnostic="file_formats",
    caption=(
        "Left, the least time to write the largest of the arrays until it is on the disk, and to read it again, on the"
        " machine of this study. Right, the share of damaged files that load without an error and have other values:"
        " with one bit flipped, cut short, or with a block of zeros."
    ),
)

TIMES = {"write": "write", "read": "read"}
CORRUPTIONS = {"flips": "bit flipped", "cuts": "cut short", "zeros": "block of zeros"}


def draw(collected: Collected, experiment: str) -> Figure:
    """Two panels of bars, one group per format."""
    table = values_by_run(collected, experiment)
    values = table.loc[""].dropna() if "" in table.index else pd.Series(dtype=float)
    sizes = [int(found[1]) for name in values.index if (found := re.fullmatch(r".+_read_(\d+)", name))]
    if not sizes:
        return nothing(f"{experiment}: no run of it left a number.")
    largest = max(sizes)
    names = [name.removesuffix(f"_read_{largest}") for name in values.index if name.endswith(f"_read_{largest}")]
    figure = Figure(figsize=(9.2, 0.42 * len(names) + 1.7), layout="constrained")
    times, corruptions = figure.subplots(1, 2, sharey=True)
    colours = dict(zip([*TIMES, *CORRUPTIONS], COLOURS, strict=False))
    _bars(times, [[values.get(f"{name}_{kind}_{largest}", np.nan) for name in names] for kind in TIMES], colours, TIMES)
    _bars(
        corruptions,
        [[values.get(f"{name}_silent_{kind}", np.nan) for name in names] for kind in CORRUPTIONS],
        colours,
        CORRUPTIONS,
    )
    times.set_xscale("log")  # before its ticks are formatted
    times.set_xlabel(f"seconds, {format_number(largest)} MiB")
    corruptions.set(xlabel="share of damaged files that load with other values", xlim=(-0.02, 1.02))
    times.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    times.set_ylim(len(names) - 0.5, -0.5)
    for axes in (times, corruptions):
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
        axes.tick_params(axis="y", length=0)
        plain_ticks(axes, "x")
    handles = [Patch(color=colours[kind], label=words) for kind, words in (TIMES | CORRUPTIONS).items()]
    legend_below(figure, handles)
    return figure


def _bars(axes: Axes, rows: list[list[float]], colours: dict[str, str], kinds: dict[str, str]) -> None:
    """Bars side by side, one of each kind for every format."""
    height = 0.8 / len(rows)
    for index, (kind, lengths) in enumerate(zip(kinds, rows, strict=True)):
        places = np.arange(len(lengths)) + (index - (len(rows) - 1) / 2) * height
        axes.barh(places, lengths, height=height, color=colours[kind], linewidth=0)
