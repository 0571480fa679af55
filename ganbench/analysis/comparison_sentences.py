"""Sentences on how the methods of a data set compare: failures, time to failure, and scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.comparisons import comparisons, log_rank_within_settings, methods_by_dataset
from ganbench.analysis.pairing import effort_in_words
from ganbench.analysis.statistics.multiplicity import LEVEL
from ganbench.core.formatting import format_p_value, format_percent, format_points, join_words, plural

MOST_PAIRS = 3  # of more pairs of methods, only the most different ones have a sentence


def compared(collected: Collected) -> Iterator[str]:
    """Compare the methods of every data set that has several, in failures and scores."""
    table = comparisons(collected)
    smallest = table[["failure_adjusted", "improvement_adjusted"]].min(axis=1)
    for dataset, names in methods_by_dataset(collected):
        rows = table[(table["dataset"] == dataset) & (table["settings"] > 0)]
        if len(names) < 2 or rows.empty:
            continue
        for index in sorted(smallest[rows.index].sort_values(kind="stable").index[:MOST_PAIRS]):
            yield f"{dataset}: {_pair(collected, rows.loc[index])}"
        if len(rows) > MOST_PAIRS:
            apart = int((smallest[rows.index] <= LEVEL).sum())
            yield (
                f"{dataset}: these are the {MOST_PAIRS} most different of {plural(len(rows), 'pair')} of methods, of"
                f" which {apart} are told apart, in failures or scores, by adjusted p-values. The table `comparisons`"
                " has all of them."
            )
        yield from _time_to_failure(collected, dataset, names)


def _pair(collected: Collected, row: pd.Series) -> str:
    text = f"{row['first']} against {row['second']}, at {plural(int(row['settings']), 'setting')} of both:"
    parts = [part for part in (_failures(row), _scores(collected, row)) if part]
    return f"{text} {'; '.join(parts)}.{_effort(row)}"


def _failures(row: pd.Series) -> str:
    counts = [f"{row[f'{name}_failed']} of {row[f'{name}_runs']}" for name in ("first", "second")]
    if np.isnan(row["failure_difference"]):
        return f"{join_words(counts)} runs were seen to fail, and of {row['undetermined']} it is not known"
    test = f"McNemar's exact test on {plural(int(row['pairs']), 'pair')}" if row["pairs"] else "Barnard's test"
    return (
        f"{join_words(counts)} runs failed, a difference of {format_points(row['failure_difference'])} percentage"
        f" points (95% interval {format_points(row['failure_low'])} to {format_points(row['failure_high'])}; {test}:"
        f" {format_p_value(row['failure_p'])}, adjusted {format_p_value(row['failure_adjusted'])})"
    )


def _scores(collected: Collected, row: pd.Series) -> str:
    if pd.isna(row["metric"]):
        return ""
    bounds = f"{format_percent(row['improvement_low'])} to {format_percent(row['improvement_high'])}"
    return (
        f"a run of the first has a better {collected.metrics[row['metric']].title} than one of the second, failed runs"
        f" being the worst, with a probability of {format_percent(row['improvement'])} (95% interval {bounds}; adjusted"
        f" {format_p_value(row['improvement_adjusted'])})"
    )


def _effort(row: pd.Series) -> str:
    """How many runs would tell the failure rates apart, where these do not."""
    if np.isnan(row["failure_difference"]) or row["failure_adjusted"] <= LEVEL:
        return ""
    if row["failure_difference"] == 0:
        return ""
    needed = None if pd.isna(row["failure_needed"]) else int(row["failure_needed"])
    effort = effort_in_words(needed, pairs=int(row["pairs"]), runs=int(min(row["first_runs"], row["second_runs"])))
    return f" These runs do not tell the failure rates apart.{effort}"


def _time_to_failure(collected: Collected, dataset: str, names: list[str]) -> Iterator[str]:
    runs = collected.runs[collected.runs["method"].isin(names)]
    p_value = log_rank_within_settings(runs)
    if not np.isnan(p_value):
        differ = "differs between" if p_value <= LEVEL else "is not seen to differ between"
        yield (
            f"{dataset}: the time to failure {differ} the {len(names)} methods (log-rank test within settings, runs"
            f" that did not fail being censored at their last step: {format_p_value(p_value)})."
        )
