"""What the pictures of the laboratory share: the runs of an experiment with their arrays, and panels for them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_number
from ganbench.report.figures.style import PLAYER_COLOURS, QUIET, plain_ticks
from ganbench.report.naming import method_words, numbers_words

MOST = 24  # panels of a figure
LINES = 40  # curves in a panel
SEEDS = 12  # panels that seeds of the same setting may take, over all settings
SETTING = ["method", "n_train", "learning_rate"]
ONE = PLAYER_COLOURS["generator_loss"]


@dataclass(frozen=True)
class Look:
    """What an instrument saw of one run."""

    run: pd.Series  # its row in the table of runs
    arrays: dict[str, np.ndarray]


def looks(collected: Collected, experiment: str, names: Sequence[str]) -> list[Look]:
    """The runs of an experiment that left all of these arrays with at least one number in each, in their order."""
    arrays = collected.arrays(experiment)
    return [
        Look(run, mine)
        for _, run in collected.runs[collected.runs["run"].isin(arrays)].iterrows()
        if all(name in (mine := arrays[run["run"]]) and np.isfinite(mine[name]).any() for name in names)
    ]


def readings(collected: Collected, experiment: str) -> pd.DataFrame:
    """What an experiment measured, one row per run (its index) and one column per quantity, in documented order."""
    prefix = f"{experiment}."
    mine = collected.measurements[collected.measurements["quantity"].str.startswith(prefix)]
    wide = mine.pivot(index="run", columns="quantity", values="value")
    wide = wide.reindex(columns=[name for name in collected.instruments if name in wide.columns])
    return wide.rename(columns=lambda name: name.removeprefix(prefix))


def frame(shown: Iterable[Look]) -> pd.DataFrame:
    """The rows of these runs as one table."""
    return pd.DataFrame([look.run for look in shown])


def by_method(shown: Sequence[Look]) -> dict[str, list[Look]]:
    """Runs by what was compared, each method in words."""
    words = method_words(frame(shown))
    groups: dict[str, list[Look]] = {}
    for look in shown:
        groups.setdefault(words[look.run["method"]], []).append(look)
    return groups


def singles(shown: Sequence[Look], names: Sequence[str], *, without: Sequence[str] = ()) -> tuple[dict[str, Look], str]:
    """Runs that have a panel each, by its title, and a note on those left out.

    Of runs that look the same in these arrays, playing the same game, one is enough; of the others, a few seeds of
    every setting, and of those what `chosen` has room for.

    Args:
        shown: the runs.
        names: arrays that say how they look.
        without: axes that the picture does not depend on, left out of titles where these stay unique without.
    """
    kept = distinct(shown, names)
    settings = frame(kept).reset_index(drop=True).groupby(SETTING, sort=False, dropna=False)
    kept = [kept[place] for place in np.flatnonzero(settings.cumcount() < max(1, SEEDS // settings.ngroups))]
    kept = [kept[place] for place in chosen(frame(kept))]
    words, titles = method_words(frame(kept), without=without), {}
    for look in kept:
        peers = frame([other for other in kept if other.run["method"] == look.run["method"]])
        parts = [words[look.run["method"]], numbers_words(look.run, peers)]
        titles[", ".join(filter(None, parts))] = look
    note = f"{len(kept)} of {len(shown)} runs are shown, where others look the same, differ in their seed or lack room."
    return titles, note if len(kept) < len(shown) else ""


def distinct(shown: Iterable[Look], names: Sequence[str]) -> list[Look]:
    """One of all runs that play the same game and look the same in these arrays."""
    kept: list[Look] = []
    for look in shown:
        if not any(_same(look, other, names) for other in kept):
            kept.append(look)
    return kept


def _same(one: Look, other: Look, names: Sequence[str]) -> bool:
    pairs = ((one.run[axis], other.run[axis]) for axis in ("game", "objective", "regularizer"))
    alike = all(mine == theirs or (pd.isna(mine) and pd.isna(theirs)) for mine, theirs in pairs)
    return alike and all(np.array_equal(one.arrays[name], other.arrays[name], equal_nan=True) for name in names)


def few(groups: dict[str, list[Look]]) -> tuple[dict[str, list[Look]], str]:
    """As many methods as there is room for, and a note on those left out."""
    names = list(groups)
    kept = [names[place] for place in chosen(frame(mine[0] for mine in groups.values()))]
    note = f"{len(kept)} of {len(groups)} methods are shown: the first of every game."
    return {name: groups[name] for name in kept}, note if len(kept) < len(groups) else ""


def chosen(runs: pd.DataFrame, most: int = MOST) -> list[int]:
    """Places of the rows that are shown where there are too many: by turns one of every kind of game, of which by turns
    one of every game with its options, and of each the first in the order of the study."""
    games = runs["game"].astype(str).reset_index(drop=True)
    queues: dict[str, list[list[int]]] = {}
    for game, mine in games.groupby(games, sort=False):
        queues.setdefault(game.partition("(")[0], []).append(list(mine.index))
    turns = [
        [place for turn in zip_longest(*kinds) for place in turn if place is not None] for kinds in queues.values()
    ]
    order = [place for turn in zip_longest(*turns) for place in turn if place is not None]
    return sorted(order[:most])


def thinned(shown: Sequence[Look]) -> list[Look]:
    """As many runs of a panel as can be told apart: those of the first seeds at every learning rate."""
    order = frame(shown).reset_index(drop=True).groupby("learning_rate", sort=False).cumcount()
    return [shown[place] for place in np.sort(np.argsort(order, kind="stable")[:LINES])]


def tones(groups: dict[str, list[Look]]) -> dict[float, str]:
    """A colour for every learning rate, dark for the smallest; one calm colour where no panel has several."""
    each = [{float(look.run["learning_rate"]) for look in mine} for mine in groups.values()]
    rates = sorted(set().union(*each))
    if max(map(len, each)) == 1:
        return dict.fromkeys(rates, ONE)
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, len(rates)))
    return {rate: to_hex(shade) for rate, shade in zip(rates, shades, strict=True)}


def rate_handles(colours: dict[float, str], most: int = 7) -> list[Line2D]:
    """Legend entries for learning rates, evenly chosen where there are many; none for a single one."""
    rates = list(colours)
    if ONE in colours.values():
        return []
    chosen = np.unique(np.linspace(0, len(rates) - 1, min(len(rates), most)).round().astype(int))
    return [
        Line2D([], [], color=colours[rates[i]], linewidth=1.8, label=f"learning rate {format_number(rates[i])}")
        for i in chosen
    ]


def panels(
    names: Sequence[str], *, width: float = 2.5, height: float = 2.4, rows: Sequence[float] = (1.0,), most: int = 4
) -> tuple[Figure, np.ndarray]:
    """A figure with one block of panels per name, titled, side by side and then below.

    Args:
        names: titles, wrapped to the width of their panel.
        width, height: of a panel, inches.
        rows: heights of the panels of a block, relative to `height`, the titled one first.
        most: blocks side by side, at most.

    Returns:
        The figure, and its axes of shape (names, panels of a block).
    """
    columns = min(most, len(names))
    wrap = max(18, round(width * 13.5))
    whole = [re.sub(r"(rate|seed) (?=\d)", "\\1\N{NO-BREAK SPACE}", name).split("\n") for name in names]
    titles = ["\n".join(line for part in parts for line in textwrap.wrap(part, wrap)) for parts in whole]
    chunks = [titles[start : start + columns] for start in range(0, len(titles), columns)]
    lines = [max(title.count("\n") for title in chunk) + 1 for chunk in chunks]
    tall = sum(height * sum(rows) + 0.16 * line + 0.32 * len(rows) for line in lines)
    # A lone panel is wider: its figure has a title of its own.
    wide = max(width * columns + 0.4, 5.0)
    figure = Figure(figsize=(wide, tall + 0.85), layout="constrained")
    ratios = [ratio for _ in chunks for ratio in rows]
    grid = figure.subplots(len(ratios), columns, squeeze=False, gridspec_kw={"height_ratios": ratios})
    blocks = grid.reshape(len(chunks), len(rows), columns).transpose(0, 2, 1).reshape(-1, len(rows))
    for block, title in zip(blocks, titles, strict=False):
        block[0].set_title(title, fontsize=8.5)
    for block in blocks[len(names) :]:
        for axes in block:
            axes.set_axis_off()
    return figure, blocks[: len(names)]


def log_scale(axes: Axes) -> None:
    """A logarithmic axis of lengths on which a level line looks level, and rounding does not fill the panel."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low < 10:
        middle = np.sqrt(low * high)
        axes.set_ylim(middle / 4, middle * 4)
    else:
        axes.set_ylim(max(low, 1e-18), min(high, 1e18))
    plain_ticks(axes, "y")


def outer(blocks: np.ndarray, most: int = 4) -> list[Axes]:
    """The first panels of their rows, which carry the label of the vertical axis: shape (blocks at the left, ...)."""
    return [block for place, block in enumerate(blocks) if place % min(most, len(blocks)) == 0]


def legend(figure: Figure, handles: Sequence[Artist], *texts: str, columns: int = 5) -> None:
    """Below the panels, what signs mean, under small print."""
    text = " ".join(filter(None, texts))
    if handles or text:
        found = figure.legend(
            handles=handles,
            loc="outside lower left",
            ncols=columns,
            title="\n".join(textwrap.wrap(text, 105)) or None,
            alignment="left",
        )
        found.get_title().set(fontsize=8, color=QUIET)
