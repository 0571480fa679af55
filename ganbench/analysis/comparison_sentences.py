"""Sentences on how the methods of a data set compare: failures, time to failure, and scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.comparisons import TESTS, comparisons, log_rank_within_settings, methods_by_dataset
from ganbench.analysis.methods import not_learned
from ganbench.analysis.pairing import effort_in_words, paired_p_value, points_in_words
from ganbench.analysis.ranking import pair_of, ranking
from ganbench.analysis.ranking_tests import ranking_tests, tests_made, told_apart_by
from ganbench.analysis.statistics.multiplicity import LEVEL, false_discovery_adjusted
from ganbench.core.formatting import format_p_value, format_percent, format_points, join_words, plural

MAX_PAIRS = 3  # of more pairs of methods, only the nearest in the ranking have a sentence


def compared(collected: Collected) -> Iterator[str]:
    """Compare the methods of every data set that has several, in failures and scores.

    A sentence begins with what the ranking says of the pair, which asks other questions with p-values of their own: who
    fails more often may be no other one where healthy runs tell two methods apart.
    """
    table, ranked = comparisons(collected), ranking_tests(collected)
    tests = int(table[[f"{test}_p_value" for test in TESTS]].notna().to_numpy().sum())
    times = _times_to_failure(collected)
    order = ranking(collected, ranked)
    for dataset, names in methods_by_dataset(collected):
        rows = table[(table["dataset"] == dataset) & (table["settings"] > 0)]
        if len(names) < 2 or rows.empty:
            continue
        place = order[order["dataset"] == dataset].set_index("method")["place"]
        ends = pd.DataFrame({name: rows[name].map(place).astype(int) for name in ("first", "second")})
        ends = ends.assign(apart=(ends["first"] - ends["second"]).abs(), upper=ends.min(axis=1))
        for index in ends.sort_values(["apart", "upper"]).index[:MAX_PAIRS]:
            yield f"{dataset}: {_pair(collected, rows.loc[index], ranked, tests)}"
        if len(rows) > MAX_PAIRS:
            mine = ranked[(ranked["dataset"] == dataset) & (ranked["settings"] > 0)]
            yield (
                f"{dataset}: these are the {MAX_PAIRS} of {plural(len(rows), 'pair')} of methods that stand nearest to"
                f" each other in the ranking, which tells {mine['better'].notna().sum()} of {len(mine)} apart. The"
                " tables `ranking_tests` and `comparisons` have all pairs."
            )
        if dataset in times:
            runs = collected.runs[collected.runs["method"].isin(names)]
            idle, unknown = int(not_learned(runs).sum()), int(rows["undetermined"].sum()) > 0
            yield _time_to_failure(dataset, names, *times[dataset], idle=idle, unknown=unknown)


def _pair(collected: Collected, row: pd.Series, ranked: pd.DataFrame, tests: int) -> str:
    text = f"{row['first']} against {row['second']}, at {plural(int(row['settings']), 'setting')} of both:"
    parts = [_verdict(row, ranked), _failures(row, tests), _scores(collected, row, tests)]
    return f"{text} {'; '.join(filter(None, parts))}.{_effort(row)}"


def _verdict(row: pd.Series, ranked: pd.DataFrame) -> str:
    """What the ranking says of a pair of methods."""
    mine, _ = pair_of(ranked, row["first"], row["second"])
    way = told_apart_by(mine)
    if way is None:
        return "the ranking does not tell them apart"
    p_value = format_p_value(mine[f"{way}_p_value_adjusted"])
    of = plural(tests_made(ranked), "test")
    return f"by the ranking, {mine['better']} is the better one, by {mine['decided_by']} (adjusted {p_value}, of {of})"


def _failures(row: pd.Series, tests: int) -> str:
    counts = [f"{row[f'{name}_failed']} of {row[f'{name}_runs']}" for name in ("first", "second")]
    idle = [int(row[f"{name}_not_learned"]) for name in ("first", "second")]
    more = f", and {join_words([str(count) for count in idle])} more had not learned" if any(idle) else ""
    if np.isnan(row["failure_difference"]):
        return f"{join_words(counts)} runs were seen to fail, and of {row['undetermined']} it is not known"
    test = row["failure_test"] + (f" on {plural(int(row['pairs']), 'pair')}" if row["pairs"] else "")
    adjusted = f"adjusted {format_p_value(row['failure_p_value_adjusted'])}, of {plural(tests, 'test')}"
    return (
        f"{join_words(counts)} runs failed{more}, a difference of"
        f" {points_in_words(row['failure_difference'], row['failure_test'])} (95% interval"
        f" {format_points(row['failure_low'])} to {format_points(row['failure_high'])}; {test}:"
        f" {paired_p_value(row['failure_p_value'], int(row['pairs']))}, {adjusted})"
    )


def _scores(collected: Collected, row: pd.Series, tests: int) -> str:
    if pd.isna(row["metric"]):
        return ""
    unknown = " and undetermined ones counting by their value" if row["undetermined"] else ""
    bounds = f"{format_percent(row['improvement_low'])} to {format_percent(row['improvement_high'])}"
    return (
        f"a run of the first has a better {collected.metrics[row['metric']].title} than one of the second, failed runs"
        f" being the worst{unknown}, with a probability of {format_percent(row['improvement'])} (95% interval"
        f" {bounds}; adjusted {format_p_value(row['improvement_p_value_adjusted'])}, of {plural(tests, 'test')})"
    )


def _effort(row: pd.Series) -> str:
    """How many runs would tell the failure rates apart, where these do not."""
    if np.isnan(row["failure_difference"]) or row["failure_p_value_adjusted"] <= LEVEL:
        return ""
    if row["failure_difference"] == 0:
        return ""
    needed = None if pd.isna(row["failure_needed"]) else int(row["failure_needed"])
    effort = effort_in_words(needed, pairs=int(row["pairs"]), runs=int(min(row["first_runs"], row["second_runs"])))
    return f" Failures alone do not tell them apart.{effort}"


def _times_to_failure(collected: Collected) -> dict[str, tuple[float, float]]:
    """By data set with several methods, the log-rank test's p-value, and that adjusted over these data sets."""
    found = {}
    for dataset, names in methods_by_dataset(collected):
        if len(names) > 1:
            found[dataset] = log_rank_within_settings(collected.runs[collected.runs["method"].isin(names)])
    found = {dataset: p_value for dataset, p_value in found.items() if not np.isnan(p_value)}
    adjusted = false_discovery_adjusted(list(found.values()))
    return {dataset: (found[dataset], float(each)) for dataset, each in zip(found, adjusted, strict=True)}


def _time_to_failure(
    dataset: str, names: list[str], p_value: float, adjusted: float, *, idle: int, unknown: bool
) -> str:
    differ = "differs between" if adjusted <= LEVEL else "is not seen to differ between"
    censored = "runs that did not fail" + (f", {idle} of which had not learned either," if idle else "")
    censored += ", and those of which it is not known," if unknown else ""
    return (
        f"{dataset}: the time to failure {differ} the {len(names)} methods (log-rank test within settings, {censored}"
        f" being censored at their last step: {format_p_value(p_value)}, adjusted {format_p_value(adjusted)})."
    )
