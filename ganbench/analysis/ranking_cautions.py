"""What limits the answer to the question which method of a data set one would use, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SETTING
from ganbench.analysis.methods import final_values, healthy
from ganbench.analysis.nulls import noise_is_told, noise_of, null_of, untrained_of
from ganbench.analysis.pairing import evenly_spread
from ganbench.analysis.ranking import chance
from ganbench.analysis.statistics.multiplicity import LEVEL
from ganbench.core.formatting import format_number, format_percent, format_range, join_words, plural

# What methods are made of, in words.
PARTS = {axis: axis for axis in ("architecture", "objective", "regularizer", "dynamics", "optimizer", "schedule")}
PARTS |= {"train": "training options"}
MAX_NAMED = 4  # methods that a sentence names
UNTRAINED_SHARE = 0.25  # of runs that end no better than they began, from which on it is said
NEAR_NOISE = 0.5  # of the way from real data to noise, from which on examples are hardly better


def cautions(collected: Collected, rows: pd.DataFrame, pairs: dict[str, tuple[pd.Series, bool]]) -> Iterator[str]:
    """What limits the answer for a data set.

    Args:
        collected: the study's results.
        rows: the data set's rows of the ranking, see `ganbench.analysis.ranking.ranking`.
        pairs: by other method, the row of its test against the first, and whether the first is the first in it.
    """
    yield from _blind_to_noise(collected, rows.iloc[0])
    yield from _near_noise(collected, rows.iloc[0])
    yield from _no_better_than_untrained(collected, rows)
    yield from _at_best_rates(collected, rows)
    yield from _of_parts(collected, rows)
    yield from _of_the_ranking(rows, pairs)
    yield from _of_settings(collected, rows, pairs)


def _blind_to_noise(collected: Collected, best: pd.Series) -> Iterator[str]:
    """That no metric tells noise from the data, if so."""
    dataset, metric = best["dataset"], best["metric"]
    if not pd.isna(metric) and noise_is_told(collected, dataset, metric) is False:
        null = null_of(collected, dataset, metric)
        yield (
            f"{collected.metrics[metric].title}, by which runs are scored and count as having learned, does not tell"
            " these data from noise, independent numbers with the means and variances of the data, nor does any other"
            f" metric of the study: noise scores {format_number(noise_of(collected, dataset, metric))}, and real data"
            f" {format_range(null.low, null.high)}."
        )


def _near_noise(collected: Collected, best: pd.Series) -> Iterator[str]:
    """That the healthy runs of the first method are hardly nearer to real data than noise is, if so."""
    dataset, metric = best["dataset"], best["metric"]
    if pd.isna(metric) or noise_is_told(collected, dataset, metric) is False:
        return
    runs = collected.runs[collected.runs["method"] == best["method"]]
    values, noise = final_values(runs[healthy(runs)], metric), noise_of(collected, dataset, metric)
    null = null_of(collected, dataset, metric)
    real = null.mean if null else 0.0 if collected.metrics[metric].best == "low" else np.nan
    way = noise - real
    if len(values) and way and (np.median(values) - real) / way >= NEAR_NOISE:
        yield (
            f"Noise, independent numbers with the means and variances of the data, scores {format_number(noise)} in"
            f" {collected.metrics[metric].title}: the healthy runs of {best['method']}, at a median of"
            f" {format_number(np.median(values))}, are hardly nearer to real data."
        )


def _no_better_than_untrained(collected: Collected, rows: pd.DataFrame) -> Iterator[str]:
    """That many runs score no better at their end than their own generators did before the first step, if so."""
    metric = rows.iloc[0]["metric"]
    if pd.isna(metric) or collected.metrics[metric].best == "none":
        return
    runs = collected.runs[collected.runs["method"].isin(rows["method"])]
    first = untrained_of(collected, runs, metric)
    last = pd.Series(final_values(runs.set_index("run").loc[first.index], metric), index=first.index)
    better = last > first if collected.metrics[metric].best == "high" else last < first
    count = int((~better).sum())  # without a value too
    if len(first) and count >= UNTRAINED_SHARE * len(first):
        yield (
            f"{count} of {plural(len(first), 'run')} {'ends' if count == 1 else 'end'} no better in"
            f" {collected.metrics[metric].title} than their untrained generators, whose median is"
            f" {format_number(first.median())}: scores of these say little of what was learned."
        )


def _at_best_rates(collected: Collected, rows: pd.DataFrame) -> Iterator[str]:
    """The healthy runs of each method at the learning rate at which it has the largest share of them, and the methods
    that have none at any rate.

    A method that fails at rates that nobody would choose loses by that where runs at all rates are counted, and one
    that works at no rate of the grid may work at others.
    """
    runs = collected.runs[collected.runs["method"].isin(rows["method"])]
    if not (runs.groupby("method")["learning_rate"].nunique() > 1).any():
        return
    idle = list(rows.loc[(rows["healthy"] == 0) & (rows["undetermined"] == 0), "method"])
    parts = []
    for method in [name for name in rows["method"] if name not in idle][:MAX_NAMED]:
        mine = runs[runs["method"] == method]
        counts = healthy(mine).groupby(mine["learning_rate"]).agg(["sum", "size"])
        if len(counts):
            shares = counts["sum"] / counts["size"]
            best = shares.idxmax()
            count, size = counts.loc[best]
            alike = [format_number(rate) for rate in shares.index[shares == shares.max()]]
            end = ", an end of its rates" if len(alike) == 1 < len(counts) and best in counts.index[[0, -1]] else ""
            each = " each" if len(alike) > 1 and counts["size"].nunique() == 1 else ""
            parts.append(f"{method} {count} of {size}{each} at {join_words(alike)}{end}")
    text = "Runs at all learning rates of the grid are counted."
    if parts:
        text += (
            f" Healthy at the best rate of each: {'; '.join(parts)}. These rates were chosen by the runs that are"
            " counted, so that the shares are too good, and no test compares them."
        )
    if idle:
        text += (
            f" Healthy at no rate of the grid: {named(idle)}; what {'it does' if len(idle) == 1 else 'they do'} at"
            " other rates, or after more steps, was not run."
        )
    yield text


def _of_parts(collected: Collected, rows: pd.DataFrame) -> Iterator[str]:
    """The methods that differ from the first in several parts at once: their differences cannot be put down to one."""
    first, *others = rows["method"]
    parts = {name: _parts(collected.runs[collected.runs["method"] == name]) for name in rows["method"]}
    apart = {name: [axis for axis in PARTS if parts[name][axis] != parts[first][axis]] for name in others}
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, axes in apart.items():
        if len(axes) > 1:
            groups.setdefault(tuple(PARTS[axis] for axis in axes), []).append(name)
    for words, names in groups.items():
        differ = f"{named(names)} {'differs' if len(names) == 1 else 'differ'}"
        yield (
            f"{differ} from {first} in {join_words(words)} at once: what was seen cannot be put down to one of these."
        )


def _parts(runs: pd.DataFrame) -> dict[str, set]:
    return {axis: set(runs[axis].dropna()) for axis in PARTS}


def _of_the_ranking(rows: pd.DataFrame, pairs: dict[str, tuple[pd.Series, bool]]) -> Iterator[str]:
    """A method that is rarely healthy, runs of which it is not known, scores that speak against the first method."""
    best = rows.iloc[0]
    unknown = int(rows["undetermined"].sum())
    if unknown:
        yield (
            f"Of {unknown} of {int(rows['runs'].sum())} runs it is not known whether they are healthy; the shares of"
            " methods that have such runs are not tested."
        )
    seldom = rows[rows["healthy"] + rows["undetermined"] < rows["runs"] / 2]
    if len(seldom) == len(rows):
        yield "Of no method here half of the runs are healthy: to use any of them is to train it several times."
    elif best["method"] in set(seldom["method"]):
        yield f"Fewer than half of the runs of {best['method']} are healthy."
    for name, (row, first) in pairs.items():
        value, low, high = chance(row, first)
        if row["improvement_p_value_adjusted"] <= LEVEL and value < 0.5:
            yield (
                f"A run of {name} scores better than one of {best['method']} with a probability of"
                f" {format_percent(1 - value)} (95% interval {format_percent(1 - high)} to {format_percent(1 - low)}),"
                f" failed runs being the worst: where its other runs cost little, {name} may be the choice."
            )


def _of_settings(collected: Collected, rows: pd.DataFrame, pairs: dict[str, tuple[pd.Series, bool]]) -> Iterator[str]:
    """Methods that were run at other settings than the first, or at the same ones in other proportions."""
    best = rows["method"].iloc[0]
    runs = {name: collected.runs[collected.runs["method"] == name] for name in rows["method"]}
    partly = {name: row for name, (row, _) in pairs.items() if row["settings"] > 0}
    rates = [name for name, row in partly.items() if row["own_rates"]]
    if rates:
        yield f"{best} and {named(rates)} were run at one learning rate each, which is part of what is tested."
    settings = rows.set_index("method")["settings"]
    odd = [name for name, row in partly.items() if {settings[name], settings[best]} != {row["settings"]}]
    if odd:
        yield (
            f"{best} and {named(odd)} were not run at the same settings: the shares and medians are of all runs of"
            " each, and the tests of those at settings of both."
        )
    within = {name: ("n_train",) if row["own_rates"] else SETTING for name, row in partly.items() if name not in odd}
    uneven = [name for name, by in within.items() if not evenly_spread(runs[best], runs[name], by)]
    if uneven:
        yield (
            f"{best} and {named(uneven)} have different shares of their runs at the settings of both: the shares and"
            " medians are of all runs of each, and differ by that alone where a setting is hard; the tests compare runs"
            " of equal settings."
        )


def named(names: list[str]) -> str:
    """Some methods by name, and the number of the others."""
    if len(names) <= MAX_NAMED:
        return join_words(names)
    return f"{', '.join(names[:MAX_NAMED])} and {plural(len(names) - MAX_NAMED, 'more method')}"
