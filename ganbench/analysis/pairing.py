"""Failure rates and other shares of two groups of runs, compared pair by pair where every run has a partner, and within
settings where one group has more of its runs at some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pandas as pd

from ganbench.analysis.methods import failed, undetermined
from ganbench.analysis.statistics.multiplicity import LEVEL, bonferroni
from ganbench.analysis.statistics.rate_differences import (
    INDEPENDENT,
    PAIRED,
    STRATIFIED,
    RateDifference,
    independent_difference,
    paired_difference,
    stratified_difference,
)
from ganbench.analysis.statistics.rates import CONFIDENCE
from ganbench.analysis.statistics.sample_sizes import enough, pairs_for_two_rates, runs_for_two_rates
from ganbench.core.formatting import format_p_value, format_points, plural


def keys(runs: pd.DataFrame, by: Sequence[str]) -> list[tuple]:
    """The values of some columns in every run, None where a cell is empty: runs with equal keys belong together."""
    rows = runs[list(by)].itertuples(index=False, name=None)
    return [tuple(None if pd.isna(value) else value for value in row) for row in rows]


def paired_runs(
    first: pd.DataFrame, second: pd.DataFrame, by: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The runs of two groups, the partners of pairs in the same rows; None unless every run has exactly one partner.

    Args:
        first, second: rows of the table of runs.
        by: the columns in which the two runs of a pair agree.
    """
    places = [{key: place for place, key in enumerate(keys(runs, by))} for runs in (first, second)]
    if not len(places[0]) == len(first) == len(second) == len(places[1]) or places[0].keys() != places[1].keys():
        return None
    return first, second.iloc[[places[1][key] for key in places[0]]]


def at_common(first: pd.DataFrame, second: pd.DataFrame, within: Sequence[str]) -> list[pd.DataFrame]:
    """The runs of each of two groups at the settings that both were run at; two empty tables where there are none.

    Args:
        first, second: rows of the table of runs.
        within: the columns in which runs of one setting agree.
    """
    settings = [keys(runs, within) for runs in (first, second)]
    common = set(settings[0]) & set(settings[1])
    return [runs[[key in common for key in mine]] for runs, mine in zip((first, second), settings, strict=True)]


def evenly_spread(first: pd.DataFrame, second: pd.DataFrame, within: Sequence[str]) -> bool:
    """Whether two groups of runs have the same share of their runs at every setting.

    Only then are the shares of all of their runs those of one mixture of settings.

    Args:
        first, second: rows of the table of runs.
        within: the columns in which runs of one setting agree.
    """
    mine, others = Counter(keys(first, within)), Counter(keys(second, within))
    return all(mine[key] * len(second) == others[key] * len(first) for key in mine | others)


def compare_failures(
    first: pd.DataFrame, second: pd.DataFrame, within: Sequence[str], *, confidence: float = CONFIDENCE
) -> RateDifference | None:
    """Compare the failure rates of two groups of runs.

    Args:
        first, second, within, confidence: as for `compare_shares`.

    Returns:
        The first rate minus the second; None where it is not known of every run whether it failed.
    """
    return compare_shares(first, second, within, failed, confidence=confidence)


def compare_shares(
    first: pd.DataFrame,
    second: pd.DataFrame,
    within: Sequence[str],
    event: Callable[[pd.DataFrame], pd.Series],
    *,
    confidence: float = CONFIDENCE,
) -> RateDifference | None:
    """Compare the shares of two groups of runs, at the same settings, that ended in some way.

    Where every run has exactly one partner of its setting and seed in the other group, runs are compared in pairs.
    Otherwise they count as independent: all together where both groups have the same share of their runs at every
    setting, and within settings where they do not, since a group with more runs at a hard setting fails more often.

    Pairs count as independent. Runs of one seed share random streams over settings, so that a seed may count as more
    evidence than it is where its luck is the same at all of them.

    Args:
        first, second: rows of the table of runs, at least one each, see `at_common`.
        within: the columns in which runs of one setting agree.
        event: whether each run ended so, such as `ganbench.analysis.methods.failed`.
        confidence: the coverage of the interval, in (0, 1).

    Returns:
        The first share minus the second; None where it is not known of every run how it ended.

    Raises:
        ValueError: there are no partners, and a setting has runs of one group alone.
    """
    if undetermined(first).any() or undetermined(second).any():
        return None
    pairs = paired_runs(first, second, [*within, "seed"])
    if pairs is not None:
        one, two = (event(runs).to_numpy(dtype=bool) for runs in pairs)
        return paired_difference(int((one & ~two).sum()), int((two & ~one).sum()), len(one), confidence=confidence)
    if evenly_spread(first, second, within):
        counts = [(int(event(runs).sum()), len(runs)) for runs in (first, second)]
        return independent_difference(*counts, confidence=confidence)
    totals, counts = (
        [Counter(keys(runs, within)) for runs in groups]
        for groups in ((first, second), (first[event(first)], second[event(second)]))
    )
    strata = [
        tuple((count[key], total[key]) for count, total in zip(counts, totals, strict=True))
        for key in totals[0] | totals[1]
    ]
    return stratified_difference(strata, confidence=confidence)


def difference_columns(way: str, share: str) -> dict[str, str]:
    """The columns of a difference in a table of pairs of methods, with what they hold.

    Args:
        way: what their names begin with.
        share: what is compared.
    """
    return {
        f"{way}_difference": f"{share} of the first method less that of the second; by {STRATIFIED}, the mean of these"
        " differences of the settings, weighted by n m / (n + m) for n and m runs of the two",
        f"{way}_low": "lower bound of its 95% interval (Bonett and Price for pairs, Newcombe otherwise)",
        f"{way}_high": "upper bound of its 95% interval",
        f"{way}_test": f"test of no difference: {PAIRED} of pairs; where runs have no partners, {INDEPENDENT}, or"
        f" {STRATIFIED} within settings if the methods have different shares of their runs at them",
        f"{way}_p_value": "p-value of this test",
    }


def difference_values(way: str, difference: RateDifference) -> dict[str, object]:
    """The values of `difference_columns`, and the number of pairs as the column `pairs`."""
    return {
        "pairs": difference.pairs,
        f"{way}_difference": difference.value,
        f"{way}_low": difference.low,
        f"{way}_high": difference.high,
        f"{way}_test": difference.test,
        f"{way}_p_value": difference.p_value,
    }


def points_in_words(value: float, test: str) -> str:
    """A difference of shares: "40 percentage points", or "40 percentage points within settings" by such a test."""
    return f"{format_points(value)} percentage points{' within settings' if test == STRATIFIED else ''}"


def paired_p_value(p_value: float, pairs: int, *, tests: int = 1) -> str:
    """The p-value of an exact test of pairs in words, with whether it is the least that so many can give.

    Args:
        p_value: the p-value.
        pairs: the number of pairs; 0 where runs are independent, of which the least one is not told.
        tests: the number of tests of which this is the most striking, by which the p-value is multiplied.
    """
    least = bonferroni(2.0 ** (1 - pairs), tests) if pairs else 0.0
    return format_p_value(bonferroni(p_value, tests), least=least, of=plural(pairs, "pair"))


def difference_in_words(difference: RateDifference, *, tests: int = 1) -> str:
    """The difference with its interval and its test: "40 percentage points (95% interval 12 to 68; ...)".

    Args:
        difference: the difference, whose interval allows for the number of tests.
        tests: the number of differences of which this is the most striking; its p-value is multiplied by it.
    """
    low, high = format_points(difference.low), format_points(difference.high)
    interval = f"95% interval {low} to {high}{f' for all {tests} pairs together' if tests > 1 else ''}"
    test = f"{difference.test} on {plural(difference.pairs, 'pair')} of runs" if difference.pairs else difference.test
    p_value = paired_p_value(difference.p_value, difference.pairs, tests=tests)
    return f"{points_in_words(difference.value, difference.test)} ({interval}; {test}: {p_value})"


def runs_needed(difference: RateDifference, *, level: float = LEVEL) -> int | None:
    """Number of pairs, or of independent runs of each, that would tell two rates apart, if the shares are as seen.

    Within settings, they are the weighted shares; where these differ among settings, fewer runs may do.

    Args:
        difference: the difference of the rates.
        level: the level of the test.

    Returns:
        The number; None where it is larger than anybody trains, or where the rates are equal.
    """
    if not difference.pairs:
        return runs_for_two_rates(*difference.rates, level=level)
    shares = (count / difference.pairs for count in (difference.first_only, difference.second_only))
    return pairs_for_two_rates(*shares, level=level)


def effort_in_words(needed: int | None, *, pairs: int, runs: int) -> str:
    """The number of runs that would tell two rates apart, as a sentence.

    Args:
        needed: the number of pairs, or of runs of each; None where it is larger than anybody trains.
        pairs: the number of pairs that were compared; 0 where runs are independent.
        runs: the number of runs of the smaller group.
    """
    words = enough(needed, pairs, "such pairs") if pairs else enough(needed, runs, "runs of each")
    return f" If the shares are as seen, {words} would."
