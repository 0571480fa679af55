"""Tests that check a quantity run by run: its closed form, or its side of a limit in all or in a share of the runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ganbench.analysis.statistics.clustered_rates import SeedRate, seed_rate
from ganbench.analysis.statistics.multiplicity import bonferroni, level_of_next
from ganbench.analysis.statistics.rates import exact_interval, rate_test
from ganbench.analysis.statistics.sample_sizes import MAX_RUNS, at_the_limit, enough, runs_for_rate
from ganbench.claims.test_results import Effort, RunGroup, TestStatistics, useless
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import format_number, format_range, plural
from ganbench.study.claim_tests import Bound, ClaimTest, ClosedForm, NullHypothesis, Proportion, ThresholdTest


def closed_form(test: ClosedForm, group: RunGroup) -> TestStatistics:
    """Decide whether the quantity equals an expression in every run, within the tolerance of the test."""
    wanted, tolerance = group.evaluate(test.equals), group.evaluate(test.rtol if test.atol is None else test.atol)
    with np.errstate(invalid="ignore"):  # infinity minus infinity, or times 0
        allowed = tolerance * np.abs(wanted) if test.atol is None else tolerance
        off = np.where(group.values == wanted, 0.0, np.abs(group.values - wanted))
        margin = np.nan_to_num(allowed - off)  # orders the runs only; `holds` and `known` decide the test
    holds = (off == 0) | (np.isfinite(off) & (off <= allowed))
    known = ~(np.isnan(group.values) | np.isnan(wanted) | np.isnan(tolerance))
    return _result_over_runs(test, group, wanted, holds, margin, known)


def bound(test: Bound, group: RunGroup) -> TestStatistics:
    """Decide whether the quantity lies on the required side of the limit in every run."""
    limit, margin = _threshold_margins(test, group)
    return _result_over_runs(test, group, limit, margin > 0, margin, ~np.isnan(margin))


def _threshold_margins(test: ThresholdTest, group: RunGroup) -> tuple[np.ndarray, np.ndarray]:
    """The limit of every run, and the signed distance of the quantity from it, NaN where either number is missing.

    A positive distance lies on the required side.
    """
    limit = group.evaluate(test.below if test.above is None else test.above)
    with np.errstate(invalid="ignore"):
        margin = limit - group.values if test.above is None else group.values - limit
    return limit, np.where(group.values == limit, 0.0, margin)  # includes two equal infinities


def _result_over_runs(
    test: ClaimTest, group: RunGroup, wanted: np.ndarray, holds: np.ndarray, margin: np.ndarray, known: np.ndarray
) -> TestStatistics:
    """Decide a test that must hold in every run; all arrays have shape (runs,).

    Args:
        test: the test to decide.
        group: the runs that the test selects.
        wanted: the value that the quantity is compared with.
        holds: whether the test holds in each run.
        margin: the distance of each run from failing the test; orders the runs from worst to best.
        known: whether each run has all numbers that the test needs.
    """
    total, missing = len(known), int((~known).sum())
    one, many = ("measurement of the study holds", "") if test.where.study else ("run holds", "runs hold")
    if missing == total:
        return TestStatistics(
            "undecided", f"none of {plural(total, 'run')} has a number" if many else "it was not measured", total
        )
    broken = int((known & ~holds).sum())
    verdict = "refuted" if broken else "undecided" if missing else "confirmed"
    order = np.lexsort((margin, holds))
    worst = next(index for index in order if known[index])
    run, value = group.runs.index[worst], group.values[worst]
    off = format_number(abs(value - wanted[worst])) if value != wanted[worst] else "0"
    text = f"{int(holds[known].sum())} of {plural(total, one, many)}"
    text += f", {missing} without a number" if missing else ""
    text += f"; {'farthest off' if broken else 'nearest to failing'}:"
    text += f" {format_number(value, 7)} against {format_number(wanted[worst], 7)}"
    text += f", {off} apart{f', in {run}' if run else ''}"
    kept = group.values[known]
    return TestStatistics(
        verdict, text, missing, value=float(value), low=float(kept.min()), high=float(kept.max()), worst=run
    )


def proportion(test: Proportion, group: RunGroup) -> TestStatistics:
    """Decide whether the share of runs on the required side of a limit is as large, or as small, as required.

    The test is the exact binomial one, of as many runs as the scatter between seeds makes them count for where a seed
    has several. A run without a number may or may not belong to the share, and is counted as is
    worse for the verdict; so is a run of which it is not known whether it is `among` those that count.
    """
    selected, among = len(group.runs), ""
    _, margin = _threshold_margins(test, group)
    if test.among is not None:
        member = group.evaluate(test.among)
        counts = member != 0  # of NaN too
        margin = np.where(np.isnan(member), math.nan, margin)[counts]
        group = replace(group, runs=group.runs[counts], values=group.values[counts])
        among = f" of {selected:,} with {test.among} other than 0"
        if not len(margin):
            text = f"none of {plural(selected, 'run')} has {test.among} other than 0"
            return TestStatistics("undecided", text, 0, 1.0)
    total, missing, count = len(margin), int(np.isnan(margin).sum()), int((margin > 0).sum())
    if missing == total:
        return TestStatistics("undecided", f"none of {plural(total, 'run')} has a number", missing, 1.0)
    rare = test.at_least is None
    seeds, rate = group.runs["seed"], None
    if seeds.is_unique:
        above, below = rate_test(count, total, test.limit, unknown=missing)
        low, high = exact_interval(count, total, unknown=missing)
    else:
        rate, most = (seed_rate(events, seeds.to_numpy()) for events in (margin > 0, ~(margin <= 0)))
        above, below = rate.p_values(test.limit)[0], most.p_values(test.limit)[1]
        low, high = rate.interval()[0], most.interval()[1]
    verdict = "confirmed" if (below < above) == rare else "refuted"
    clauses = useless(group)
    of_seeds = f" of {plural(rate.seeds, 'seed')}" if rate else ""
    text = f"{count} of {plural(total, 'run')}{of_seeds}{among}{clauses and f' ({clauses})'}"
    text += f": share {format_range(count / total, (count + missing) / total)}"
    text += f", 95% {'' if rate else 'exact '}interval {format_number(low)} to {format_number(high)}"
    text += f" with {missing} without a number counted either way" if missing else ""
    against = np.where(margin > 0 if rare else margin <= 0, np.abs(margin), math.nan)
    worst = "" if np.isnan(against).all() else group.runs.index[np.nanargmax(against)]
    value = math.nan if missing else count / total
    return TestStatistics(
        verdict,
        text,
        missing,
        p_value=min(above, below),
        value=value,
        low=low,
        high=high,
        worst=worst,
        effort=lambda level: _effort(value, test.limit, level, rate or total),
    )


def _effort(share: float, limit: float, level: float, present: SeedRate | int) -> str:
    """How many runs would tell a share from a limit, or why no number is known that would."""
    if math.isnan(share):
        return "how many runs would decide it is not known while runs lack a number"
    if share == limit:
        return at_the_limit("share")
    runs = runs_for_rate(share, limit, level=level)
    if isinstance(present, int):
        return f"{enough(runs, present, 'runs')} would decide it, if the share is as seen"
    if runs:  # and never fewer seeds than if all of them agreed
        spread = math.ceil(runs * present.seeds / present.runs)
        runs = max(spread, runs_for_rate(float(share > limit), limit, level=level))
    return f"{enough(runs, present.seeds, 'seeds')} would decide it, if share and scatter are as seen"


def null_hypothesis(test: NullHypothesis, group: RunGroup) -> TestStatistics:
    """Refute the hypothesis in all runs by their smallest p-value, times their number (Bonferroni), or leave it open.

    Raises:
        GanbenchError: a run's quantity is no p-value.
    """
    values, total = group.values, len(group.values)
    for run, value in zip(group.runs.index, values, strict=True):
        if value < 0 or value > 1:
            at = f" in {run}" if run else ""
            raise GanbenchError(
                f"null_hypothesis: {test.quantity} is {format_number(value)}{at}, and must be a p-value, from 0 to 1."
            )
    missing = int(np.isnan(values).sum())
    if missing == total:
        return TestStatistics("undecided", f"none of {plural(total, 'run')} has a p-value", missing, 1.0)
    least = int(np.nanargmin(values))
    return TestStatistics(
        "refuted",
        "null hypothesis" if total == 1 else f"null hypothesis, by the smallest p-value of {total:,} runs",
        missing,
        p_value=bonferroni(float(values[least]), total),
        value=float(values[least]),
        worst=group.runs.index[least],
        effort=lambda level: "that no evidence against it was found does not confirm it",
    )


def plan_proportion(test: Proportion, seeds: Sequence[pd.Series], level: float) -> Effort:
    """Count the runs with which a proportion would be decided, with 80% power, if it is as stated.

    Args:
        test: the test.
        seeds: the seeds of the runs that it selects, alone in a sequence.
        level: the level of the test, in both directions.

    Returns:
        The runs present and needed: their seeds where one has several, as if these were alike.
    """
    (runs,) = seeds
    needed = None if test.expected is None else runs_for_rate(test.expected, test.limit, level=level)
    unit, among = "runs" if runs.is_unique else "seeds", "" if test.among is None else test.among.text
    return Effort(runs.nunique(), unit, "a share", test.expected, needed, among)


def unconfirmable_proportion(test: Proportion, runs: int, tests: int) -> str | None:
    """Why no result could confirm a proportion, beside the other tests of its study; None if some result could.

    That all runs agree confirms it most easily, and at the largest level where all other tests are decided.

    Args:
        test: the test.
        runs: the number of runs that it selects.
        tests: the number of statistical tests that it is adjusted for, itself among them.
    """
    rare = test.at_least is None
    best = 0.0 if rare else 1.0
    if test.limit == best:
        return "no number of runs can confirm this share; use 'bound' for that"
    level = level_of_next(tests, tests - 1)
    if min(rate_test(int(best * runs), runs, test.limit)) <= level:
        return None
    needed = runs_for_rate(best, test.limit, level=level)
    asked = f"at_{'most' if rare else 'least'} {test.limit:g}"
    by = f"more than {MAX_RUNS:,} runs" if needed is None else f"{needed:,} runs or more"
    beside = f" (adjusted for {tests} tests)" if tests > 1 else ""
    some = f" at most, those of them with {test.among} other than 0" if test.among is not None else ""
    return f"{asked} can be confirmed by {by}{beside}, but the test is about {runs:,}{some}; add seeds, or ask for less"
