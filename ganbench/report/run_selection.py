"""Selection of the runs that a figure shows, if there are more than it has room for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

import numpy as np
import pandas as pd

from ganbench.analysis.columns import SETTING
from ganbench.report.diagnostic_results import DiagnosticArrays, runs_table
from ganbench.report.display_names import method_names, numbers_in_words, varying_numbers

MAX_PANELS = 24  # panels of a figure
MAX_CURVES = 40  # curves in a panel
MAX_SEED_PANELS = 12  # panels that seeds of the same setting may take, over all settings


def by_method(shown: Sequence[DiagnosticArrays]) -> dict[str, list[DiagnosticArrays]]:
    """Runs by method, each method by its readable name; apart where the generator has a learning rate of its own."""
    words = method_names(runs_table(shown))
    groups: dict[str, list[DiagnosticArrays]] = {}
    for result in shown:
        groups.setdefault(with_own_rate(words, result.run), []).append(result)
    return groups


def with_own_rate(words: dict[str, str], run: pd.Series) -> str:
    """The readable name of a run's method, with the generator's learning rate where that has its own."""
    return ", ".join(filter(None, [words[run["method"]], numbers_in_words(run, ["generator_learning_rate"])]))


def run_panels(
    shown: Sequence[DiagnosticArrays], names: Sequence[str], *, without: Sequence[str] = ()
) -> tuple[dict[str, DiagnosticArrays], str]:
    """Runs that have a panel each, by its title, and a note on those left out.

    Of runs that look the same in these arrays, playing the same game, one is enough; of the others, a few seeds of
    every setting, and of those what `spread_over_games` selects.

    Args:
        shown: the runs.
        names: arrays that say how they look.
        without: axes that the picture does not depend on, left out of titles where these stay unique without.
    """
    kept = distinct_runs(shown, names)
    settings = runs_table(kept).reset_index(drop=True).groupby(["method", *SETTING], sort=False, dropna=False)
    kept = [kept[index] for index in np.flatnonzero(settings.cumcount() < max(1, MAX_SEED_PANELS // settings.ngroups))]
    kept = [kept[index] for index in spread_over_games(runs_table(kept))]
    words, titles = method_names(runs_table(kept), without=without), {}
    for result in kept:
        peers = runs_table([other for other in kept if other.run["method"] == result.run["method"]])
        parts = [words[result.run["method"]], varying_numbers(result.run, peers)]
        titles[", ".join(filter(None, parts))] = result
    why = "the others look the same, differ only in their seed, or exceed the space"
    note = f"{len(kept)} of {len(shown)} runs are shown; {why}."
    return titles, note if len(kept) < len(shown) else ""


def distinct_runs(shown: Iterable[DiagnosticArrays], names: Sequence[str]) -> list[DiagnosticArrays]:
    """One of all runs that play the same game and look the same in these arrays."""
    kept: list[DiagnosticArrays] = []
    for result in shown:
        if not any(_same(result, other, names) for other in kept):
            kept.append(result)
    return kept


def _same(one: DiagnosticArrays, other: DiagnosticArrays, names: Sequence[str]) -> bool:
    pairs = ((one.run[axis], other.run[axis]) for axis in ("game", "objective", "regularizer"))
    alike = all(mine == theirs or (pd.isna(mine) and pd.isna(theirs)) for mine, theirs in pairs)
    return alike and all(np.array_equal(one.arrays[name], other.arrays[name], equal_nan=True) for name in names)


def limit_methods(groups: dict[str, list[DiagnosticArrays]]) -> tuple[dict[str, list[DiagnosticArrays]], str]:
    """As many methods as there is room for, and a note on those left out."""
    names = list(groups)
    kept = [names[index] for index in spread_over_games(runs_table(mine[0] for mine in groups.values()))]
    note = f"{len(kept)} of {len(groups)} methods are shown: the first of every game."
    return {name: groups[name] for name in kept}, note if len(kept) < len(groups) else ""


def spread_over_games(runs: pd.DataFrame, most: int = MAX_PANELS) -> list[int]:
    """Places of the rows that are shown where there are too many: by turns one of every kind of game, of which by turns
    one of every game with its options, and of each the first in the order of the study."""
    games = runs["game"].astype(str).reset_index(drop=True)
    queues: dict[str, list[list[int]]] = {}
    for game, mine in games.groupby(games, sort=False):
        queues.setdefault(game.partition("(")[0], []).append(list(mine.index))
    turns = [
        [index for turn in zip_longest(*kinds) for index in turn if index is not None] for kinds in queues.values()
    ]
    order = [index for turn in zip_longest(*turns) for index in turn if index is not None]
    return sorted(order[:most])


def limit_curves(shown: Sequence[DiagnosticArrays]) -> list[DiagnosticArrays]:
    """As many runs of a panel as can be told apart: those of the first seeds at all learning rates."""
    order = (
        runs_table(shown)
        .reset_index(drop=True)
        .groupby(["learning_rate", "generator_learning_rate"], sort=False, dropna=False)
        .cumcount()
    )
    return [shown[index] for index in np.sort(np.argsort(order, kind="stable")[:MAX_CURVES])]
