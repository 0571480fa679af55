"""Failure rates and other shares of two groups of runs, compared pair by pair where every run has a partner."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from ganbench.analysis.methods import failed, undetermined
from ganbench.analysis.statistics.multiplicity import LEVEL, bonferroni
from ganbench.analysis.statistics.rate_differences import RateDifference, independent_difference, paired_difference
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
        first, second: Rows of the table of runs.
        by: The columns in which the two runs of a pair agree.
    """
    places = [{key: place for place, key in enumerate(keys(runs, by))} for runs in (first, second)]
    if not len(places[0]) == len(first) == len(second) == len(places[1]) or places[0].keys() != places[1].keys():
        return None
    return first, second.iloc[[places[1][key] for key in places[0]]]


def compare_failures(
    first: pd.DataFrame, second: pd.DataFrame, by: Sequence[str], *, confidence: float = CONFIDENCE
) -> RateDifference | None:
    """Compare the failure rates of two groups of runs.

    Args:
        first, second, by, confidence: As for `compare_shares`.

    Returns:
        The first rate minus the second; None where it is not known of every run whether it failed.
    """
    return compare_shares(first, second, by, failed, confidence=confidence)


def compare_shares(
    first: pd.DataFrame,
    second: pd.DataFrame,
    by: Sequence[str],
    event: Callable[[pd.DataFrame], pd.Series],
    *,
    confidence: float = CONFIDENCE,
) -> RateDifference | None:
    """Compare the shares of two groups of runs that ended in some way.

    Pairs count as independent. Runs of one seed share random streams over settings, so that a seed may count as more
    evidence than it is where its luck is the same at all of them.

    Args:
        first, second: Rows of the table of runs, at least one each.
        by: The columns in which the two runs of a pair agree. Where every run has exactly one partner, runs are
            compared in pairs, and as independent runs otherwise.
        event: Whether each run ended so, such as `ganbench.analysis.methods.failed`.
        confidence: The coverage of the interval, in (0, 1).

    Returns:
        The first share minus the second; None where it is not known of every run how it ended.
    """
    if undetermined(first).any() or undetermined(second).any():
        return None
    pairs = paired_runs(first, second, by)
    if pairs is not None:
        one, two = (event(runs).to_numpy(dtype=bool) for runs in pairs)
        return paired_difference(int((one & ~two).sum()), int((two & ~one).sum()), len(one), confidence=confidence)
    counts = [(int(event(runs).sum()), len(runs)) for runs in (first, second)]
    return independent_difference(*counts, confidence=confidence)


def difference_in_words(difference: RateDifference, *, tests: int = 1) -> str:
    """The difference with its interval and its test: "40 percentage points (95% interval 12 to 68; ...)".

    Args:
        difference: The difference, whose interval allows for the number of tests.
        tests: The number of differences of which this is the most striking; its p-value is multiplied by it.
    """
    low, high = format_points(difference.low), format_points(difference.high)
    interval = f"95% interval {low} to {high}{f' for all {tests} pairs together' if tests > 1 else ''}"
    test = (
        f"McNemar's exact test on {plural(difference.pairs, 'pair')} of runs" if difference.pairs else "Barnard's test"
    )
    p_value = format_p_value(bonferroni(difference.p_value, tests))
    return f"{format_points(difference.value)} percentage points ({interval}; {test}: {p_value})"


def runs_needed(difference: RateDifference, first: float, second: float, *, level: float = LEVEL) -> int | None:
    """Number of pairs, or of independent runs of each, that would tell two rates apart, if the shares are as seen.

    Args:
        difference: The difference of the rates.
        first, second: The rates.
        level: The level of the test.

    Returns:
        The number; None where it is larger than anybody trains, or where the rates are equal.
    """
    if not difference.pairs:
        return runs_for_two_rates(first, second, level=level)
    shares = (count / difference.pairs for count in (difference.first_only, difference.second_only))
    return pairs_for_two_rates(*shares, level=level)


def effort_in_words(needed: int | None, *, pairs: int, runs: int) -> str:
    """The number of runs that would tell two rates apart, as a sentence.

    Args:
        needed: The number of pairs, or of runs of each; None where it is larger than anybody trains.
        pairs: The number of pairs that were compared; 0 where runs are independent.
        runs: The number of runs of the smaller group.
    """
    words = enough(needed, pairs, "such pairs") if pairs else enough(needed, runs, "runs of each")
    return f" If the shares are as seen, {words} would."
