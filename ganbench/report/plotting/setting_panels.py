"""Small multiples over a method's settings: a row per number of training examples, a column per learning rate, or
pair of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import SymmetricalLogLocator

from ganbench.analysis.methods import failure_rate, not_learned
from ganbench.analysis.nulls import NullInterval
from ganbench.core.formatting import format_number
from ganbench.core.metric_info import MetricInfo
from ganbench.report.plotting.style import QUIET

LETTER, SMALL, BESIDE = 0.07, 0.055, 0.6  # widths of letters of both titles, and of what is beside a panel, inches
MAX_LINEAR_FACTOR = 30.0  # factor that no linear axis shows


@dataclass(frozen=True)
class Levels:
    """The values of the axes that vary within a method."""

    n_train: tuple[int, ...]
    learning_rate: tuple[tuple[float, float | None], ...]  # and the second player's own, if it has one

    @classmethod
    def of(cls, runs: pd.DataFrame) -> Levels:
        pairs = zip(runs["learning_rate"], runs["generator_learning_rate"].astype(object), strict=True)
        rates = {(rate, None if pd.isna(own) else own) for rate, own in pairs}
        return cls(
            tuple(sorted(runs["n_train"].unique())), tuple(sorted(rates, key=lambda pair: (pair[0], pair[1] or 0)))
        )

    @property
    def rate_words(self) -> list[str]:
        """The learning rates as texts, the generator's own behind a slash."""
        return [
            format_number(rate) if own is None else f"{format_number(rate)} / {format_number(own)}"
            for rate, own in self.learning_rate
        ]


def settings_of(runs: pd.DataFrame) -> Iterator[tuple[tuple[int, int], str, pd.DataFrame]]:
    """Walk the grid of a method's settings, row by row.

    Yields:
        (row, column) in the grid, the setting in words (only what varies), and its runs, which may be none.
    """
    levels = Levels.of(runs)
    for row, n_train in enumerate(levels.n_train):
        for column, (rate, own) in enumerate(levels.learning_rate):
            words = []
            if len(levels.n_train) > 1:
                words.append(f"{format_number(n_train)} examples")
            if len(levels.learning_rate) > 1:
                words.append(f"rate {levels.rate_words[column]}")
            of_generator = runs["generator_learning_rate"]
            same = of_generator.isna() if own is None else of_generator == own
            mine = runs[(runs["n_train"] == n_train) & (runs["learning_rate"] == rate) & same]
            yield (row, column), ", ".join(words), mine


def grid(figure: Figure, runs: pd.DataFrame, *, blocks: int = 1, share: bool = True) -> np.ndarray:
    """Panels for every setting, one block of them below the other.

    Panels of a block share both scales, or that of x alone if they do not `share`; blocks share the one of x. Settings
    without runs say so.

    Returns:
        Axes of shape (blocks, numbers of examples, learning rates).
    """
    levels = Levels.of(runs)
    rows, columns = len(levels.n_train), len(levels.learning_rate)
    panels = figure.subplots(blocks * rows, columns, sharex=True, squeeze=False).reshape(blocks, rows, columns)
    for block in panels:
        for position, words, mine in settings_of(runs):
            axes = block[position]
            axes.set_title(words)
            if share and axes is not block[0, 0]:
                axes.sharey(block[0, 0])
            if share and position[1] > 0:
                axes.tick_params(labelleft=False)
            if position[0] == rows - 1:
                axes.tick_params(labelbottom=True)
            if mine.empty:
                axes.text(0.5, 0.5, "not run", ha="center", va="center", color=QUIET, transform=axes.transAxes)
    for axes in panels[-1, -1]:
        axes.set_xlabel("training step")
    return panels


def size(runs: pd.DataFrame, *, width: float, height: float) -> tuple[float, float]:
    """Width and height of a grid of panels in inches, without title and legend."""
    levels = Levels.of(runs)
    # A lone panel as wide as a third of a page would have no room for its title.
    # Many learning rates share the room, down to the width that a panel's title needs.
    each = max(2.7, min(width, 16 / len(levels.learning_rate)))
    return max(5.5, each * len(levels.learning_rate)), height * len(levels.n_train)


def rows_of(names: list[str]) -> list[list[str]]:
    """Methods side by side in rows of at most three, or two where a name is long."""
    columns = min(len(names), 3 if max(map(len, names)) <= 22 else 2)
    return [names[start : start + columns] for start in range(0, len(names), columns)]


def panel_title(axes: Axes, name: str) -> None:
    """Title a method's panel; a long name takes several lines, broken at its hyphens."""
    axes.set_title("\n".join(textwrap.wrap(name, 36)), fontweight="bold")


def count_failed(axes: Axes, runs: pd.DataFrame) -> None:
    """Say in a panel's upper right corner how many of its runs failed, of how many that is not known, and how many
    neither failed nor had learned by their end; a title that is too long to stand beside it stands one line higher."""
    rate, idle = failure_rate(runs), int(not_learned(runs).sum())
    words = [f"{rate.count} of {rate.total} failed"] if rate.count else []
    words += [f"{rate.unknown} undetermined"] if rate.unknown else []
    words += [f"{idle} not learned" if words else f"{idle} of {rate.total} not learned"] if idle else []
    text, title = ", ".join(words), axes.get_title("left")
    room = axes.figure.get_figwidth() / axes.get_gridspec().ncols - BESIDE
    if title and text and LETTER * len(title) + SMALL * len(text) > room:
        axes.set_title(f"{title}\n ")  # one line higher, for there is no room beside it
    axes.set_title(text, loc="right", fontsize=8, color=QUIET)


def metric_scale(
    axes: Axes,
    info: MetricInfo,
    values: np.ndarray,
    null: NullInterval | None = None,
    *,
    axis: Literal["x", "y"] = "y",
) -> None:
    """Give a metric's axis its scale and limits.

    Metrics with two bounds show both, so that a share of 0.5 looks like one half. An unbounded positive metric whose
    values span more than a factor of thirty is drawn on a logarithmic axis; one without a lower bound whose values go
    thirty times beyond its null on an axis that is linear about the null and logarithmic beyond.

    Args:
        axes: the panel.
        info: what the metric's number means.
        values: everything the panel shows, its null included.
        null: the metric's null, if it is known.
        axis: the axis of the metric.
    """
    set_limits, set_scale = (getattr(axes, f"set_{axis}{what}") for what in ("lim", "scale"))
    near = 0.0 if null is None else max(abs(null.low), abs(null.high))
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if info.lower is not None and info.upper is not None:
        room = 0.06 * (info.upper - info.lower)
        set_limits(info.lower - room, info.upper + room)
    elif len(values) and values.min() > 0 and values.max() / values.min() > MAX_LINEAR_FACTOR:
        set_scale("log")
        set_limits(values.min() / 1.3, values.max() * 1.3)
    elif info.lower is None and len(values) and 0 < MAX_LINEAR_FACTOR * near < abs(values).max():
        linear = 10.0 ** np.ceil(np.log10(near))  # a power of ten, or one tick more would lie at its edge
        set_scale("symlog", linthresh=linear, linscale=0.5)
        getattr(axes, f"{axis}axis").set_major_locator(SymmetricalLogLocator(base=10, linthresh=linear))
        set_limits(min(2 * values.min(), -2 * near), max(1.5 * values.max(), 2 * near))
    elif len(values):
        room = 0.08 * (values.max() - values.min()) or max(1.0, 0.1 * abs(values[0]))
        set_limits(values.min() - room, values.max() + room)


def better(info: MetricInfo, scale: str) -> str:
    """A metric's name as an axis label, with its better end, and whether its axis has a logarithmic scale."""
    words = {"low": ["lower is better"], "high": ["higher is better"], "none": []}[info.best]
    words += ["log scale"] if scale != "linear" else []
    return f"{info.title} ({', '.join(words)})" if words else info.title
