"""Sentences on failures: over all runs, by axis and over seeds, with the failures that were not judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import comb

import pandas as pd

from ganbench.analysis.columns import FAILURES, OPEN, SUCCESSES
from ganbench.analysis.methods import failure_rate, not_learned
from ganbench.analysis.pairing import at_common, compare_failures, difference_in_words, effort_in_words, runs_needed
from ganbench.analysis.settings import AXIS_WORDS
from ganbench.analysis.statistics.multiplicity import LEVEL, bonferroni
from ganbench.analysis.statistics.rates import Rate
from ganbench.core.formatting import (
    format_interval,
    format_number,
    format_proportion,
    format_range,
    join_words,
    plural,
)


def overall(runs: pd.DataFrame, *, when: bool) -> str:
    """Tell how many runs failed and how, and for how many this is not known.

    Args:
        runs: rows of the table of runs.
        when: whether to give the steps at which runs first failed.
    """
    rate = failure_rate(runs)
    if not rate.unknown:
        text = format_proportion(rate, "runs failed")
    elif rate.unknown == rate.total:
        text = f"None of {plural(rate.total, 'run')} was seen to fail, but whether they failed is not known"
    else:
        text = (
            f"{rate.count} of {rate.total} runs were seen to fail, and of {rate.unknown} it is not known whether they"
            f" failed (95% interval of the share that failed {format_interval(rate)}, these counted either way)"
        )
    text += f": {_how(runs, when=when)}." if rate.count else "."
    return " ".join([text, *_stopped(runs), *_others(runs)])


def _how(runs: pd.DataFrame, *, when: bool) -> str:
    """Count the failures by outcome, with the steps at which such runs first failed if `when` is true."""
    parts = []
    for outcome in FAILURES:
        mine = runs[runs["outcome"] == outcome]
        if mine.empty:
            continue
        steps = mine["failure_onset"].dropna()
        seen = f" (first failure, of any kind, at step {format_range(steps.min(), steps.max())})"
        parts.append(f"{len(mine)} {outcome}{seen if when and len(steps) else ''}")
    return join_words(parts)


def _stopped(runs: pd.DataFrame) -> Iterator[str]:
    """Tell how many runs were stopped early, for what and when."""
    mine = runs.dropna(subset=["stopped_step"])
    if mine.empty:
        return
    parts = [
        f"{len(steps)} for {outcome} (after step {format_range(steps.min(), steps.max())})"
        for outcome, steps in mine.groupby("stopped_for")["stopped_step"]
    ]
    verb = "run was" if len(mine) == 1 else "runs were"
    yield f"{len(mine)} {verb} stopped early, without a final value: {join_words(parts)}."


def _others(runs: pd.DataFrame) -> Iterator[str]:
    """Tell what became of the runs that did not fail: few of them need have converged."""
    counts = {name: int((runs["outcome"] == name).sum()) for name in (*SUCCESSES, *reversed(OPEN))}
    parts = [f"{count} {name}" for name, count in counts.items() if count]
    if parts:
        yield f"Not failed: {join_words(parts)}."


def not_judged(runs: pd.DataFrame) -> list[tuple[str, str, int]]:
    """List the failures that were not judged in some of the runs.

    Returns:
        The failure, the reason and the number of runs, once for every failure and reason.
    """
    texts = runs["failures_not_judged"].fillna("")
    counts = Counter(reason for text in texts for reason in text.split("; ") if reason)
    return [(*reason.split(": ", 1), count) for reason, count in counts.items()]


def unjudged(runs: pd.DataFrame) -> Iterator[str]:
    """Tell which failures were not judged in how many of the runs, and why."""
    by_count: dict[int, list[str]] = {}
    for failure, why, count in not_judged(runs):
        by_count.setdefault(count, []).append(f"{failure} ({why})")
    for count, failures in by_count.items():
        where = f"any of {len(runs)}" if count == len(runs) > 1 else f"{count} of {len(runs)}"
        yield f"Not judged in {where} {'run' if len(runs) == 1 else 'runs'}: {join_words(failures)}."


def by_axis(runs: pd.DataFrame) -> Iterator[str]:
    """Compare the failure rates of one method along each axis that varies, at equal values of all others."""
    for axis, words in AXIS_WORDS.items():
        levels = runs[axis]
        if axis == "generator_learning_rate":  # empty where it is the discriminator's
            if levels.isna().all():
                continue
            levels = levels.astype(float).fillna(runs["learning_rate"])
        groups = dict(iter(runs.groupby(levels)))
        rates = {level: failure_rate(mine) for level, mine in groups.items()}
        if len(rates) < 2:
            continue
        text = f"Failures by {words}: {join_words([_at(level, rates[level], mine) for level, mine in groups.items()])}."
        low, high = min(rates, key=lambda level: rates[level].value), max(rates, key=lambda level: rates[level].value)
        if any(rate.unknown for rate in rates.values()):
            text += " The levels are not compared, since it is not known of all runs whether they failed."
        elif rates[low].value == rates[high].value:
            text += " The share is the same at every level."
        else:
            text += _compared(axis, groups, low, high)
        yield text


def _compared(axis: str, groups: dict[float, pd.DataFrame], low: float, high: float) -> str:
    """Tell whether the levels with the least and the largest share of failures differ, as the choice of two of all."""
    tests = comb(len(groups), 2)
    level = LEVEL / tests
    alike = [other for other in AXIS_WORDS if other != axis]
    both = at_common(groups[high], groups[low], alike)
    if both[0].empty:
        return f" {format_number(low)} and {format_number(high)} are not compared: other axes differ between them."
    difference = compare_failures(*both, alike, confidence=1 - level)
    if difference.value < 0:  # at equal values of other axes, the level with the larger share of all runs fails less
        low, high, both = high, low, both[::-1]
        difference = compare_failures(*both, alike, confidence=1 - level)
    kept, of = sum(map(len, both)), len(groups[high]) + len(groups[low])
    partly = "" if kept == of else f", of the {kept} of {of} runs at values of other axes that both have"
    found = difference_in_words(difference, tests=tests) + partly
    if bonferroni(difference.p_value, tests) <= LEVEL:
        return f" More runs fail at {format_number(high)} than at {format_number(low)}: by {found}."
    text = (
        f" These runs do not tell {format_number(low)} and {format_number(high)} apart: the shares differ by {found}."
    )
    if difference.value == 0:
        return text
    needed = runs_needed(difference, level=level)
    return text + effort_in_words(needed, pairs=difference.pairs, runs=min(map(len, both)))


def _at(level: float, rate: Rate, runs: pd.DataFrame) -> str:
    """Tell how many runs failed at one level of an axis, and how many of the others had not learned."""
    idle = int(not_learned(runs).sum())
    more = f" ({idle} more had not learned)" if idle else ""
    if rate.unknown:
        return f"{rate.count} seen and {rate.unknown} not known of {rate.total} at {format_number(level)}{more}"
    return f"{rate.count} of {rate.total} at {format_number(level)}{more}"


def over_seeds(table: pd.DataFrame) -> Iterator[str]:
    """Tell in how many settings all seeds failed, none failed, or only some failed.

    Args:
        table: rows of the table of settings.
    """
    repeated = table[table["runs"] > 1]
    if repeated.empty:
        return
    fine = repeated["runs"] - repeated["failed"] - repeated["outcome_undetermined"]
    mixed = int(((repeated["failed"] > 0) & (fine > 0)).sum())
    always = int((repeated["failed"] == repeated["runs"]).sum())
    never = int((fine == repeated["runs"]).sum())
    text = (
        f"Of {plural(len(repeated), 'setting')} with more than one seed, every seed failed in {always},"
        f" none failed in {never}, and in {mixed} some failed while others did not."
    )
    unknown = len(repeated) - mixed - always - never
    idle = int((repeated["outcome_not-learned-yet"].fillna(0) == repeated["runs"]).sum())
    text += f" In {idle} no run had learned, nor failed." if idle else ""
    yield text + (f" In {unknown} that is not known, since a failure was not measured." if unknown else "")
