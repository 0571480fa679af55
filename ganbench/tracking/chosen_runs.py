"""Runs that stand for the others of their method: the best, the median and the worst, or more, evenly spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import as_loss, failed, final_values, methods, primary_metric

PLACES = {"best": 0.0, "median": 0.5, "worst": 1.0}  # the share of a method's runs that are better


def standing_for(collected: Collected, places: Sequence[str]) -> dict[str, str]:
    """Choose runs of every method by their places in the order of the method's primary metric, as reports count them.

    Runs that failed come after all others, in the order of their values. Only runs with a final value have a place:
    others have no last networks. A metric without a better end gives no order.

    Args:
        collected: the collected results of the study.
        places: names in `PLACES`.

    Returns:
        By the name of the run, its place in words, such as "best"; "best, worst" for the only run of a method.
    """
    chosen: dict[str, list[str]] = {}
    for ordered, _ in _ordered(collected).values():
        for place in places if ordered else ():
            run = ordered[round(PLACES[place] * (len(ordered) - 1))]
            chosen.setdefault(run, []).append(place)
    return {run: ", ".join(places) for run, places in chosen.items()}


def evenly_chosen(collected: Collected, most: int) -> set[str]:
    """Choose at most a number of runs with samples, of every method as many, evenly spread from its best to its worst.

    Args:
        collected: the collected results of the study.
        most: the largest number of runs; at least one of every method is chosen.

    Returns:
        The names of the runs; all runs on data, if these are no more.
    """
    runs = collected.gans.runs
    if len(runs) <= most:
        return set(runs["run"])
    orders = [ordered + rest for ordered, rest in _ordered(collected).values()]
    each = max(1, most // len(orders))
    return {
        ordered[index]
        for ordered in orders
        for index in np.linspace(0, len(ordered) - 1, min(each, len(ordered))).round().astype(int)
    }


def _ordered(collected: Collected) -> dict[str, tuple[list[str], list[str]]]:
    """By method: its runs from the best final value to the worst, and those without one."""
    gans, found = collected.gans, {}
    for method in methods(gans):
        runs, metric = gans.runs[gans.runs["method"] == method], primary_metric(gans, method)
        values = np.full(len(runs), np.nan) if metric is None else final_values(runs, metric)
        losses = np.full(len(runs), np.inf) if metric is None else as_loss(values, collected.metrics[metric])
        known = np.isfinite(losses)
        order, scored = np.lexsort((losses, failed(runs), ~known)), int(known.sum())
        names = runs["run"].to_numpy()[order].tolist()
        found[method] = names[:scored], names[scored:]
    return found
