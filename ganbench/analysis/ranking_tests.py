"""Whether one of two methods is the better one: by the share of its healthy runs first, and then by its scores.

A method is better than another where more of its runs are healthy. Where tests do not tell these shares apart, it is
better where a run of it probably scores better than one of the other, failed runs being worse than any. A run is
healthy if it had learned by its end and had not failed: a method that never learns would lead a list of methods by
failures alone. The p-values of the two tests of every pair are adjusted together, and apart from those of the table of
comparisons, so that the order does not depend on questions that it does not ask.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, SETTING
from ganbench.analysis.comparisons import at_common_settings, improvement, method_pairs, seeds_test
from ganbench.analysis.methods import healthy, primary_metric
from ganbench.analysis.pairing import (
    at_common,
    compare_shares,
    difference_columns,
    difference_values,
    keys,
    runs_needed,
)
from ganbench.analysis.statistics.improvement import Improvement
from ganbench.analysis.statistics.multiplicity import LEVEL, false_discovery_adjusted, level_of_next
from ganbench.analysis.statistics.rate_differences import RateDifference
from ganbench.analysis.statistics.sample_sizes import runs_for_improvement

BY_SEEDS = "permutation of seeds, which keep their runs at all settings"

# What a pair may be told apart by, in the order in which it counts, with the columns that begin so.
WAYS = {"healthy": "healthy runs", "improvement": "score"}

COLUMNS = {
    "dataset": AXES["dataset"],
    "first": "one of the two methods",
    "second": "the other method",
    "settings": "number of settings that both were run at: training examples and learning rates; only these count",
    "own_rates": "whether the two have no setting in common, and one learning rate each: then a setting is a number of"
    " training examples, and what is compared is each method at its own learning rate",
    "first_runs": "number of runs of the first method at these settings",
    "first_healthy": "number of these that are healthy: they had learned by their end and had not failed",
    "second_runs": "number of runs of the second method at these settings",
    "second_healthy": "number of these that are healthy",
    "pairs": "number of pairs of runs that are alike in setting and seed; 0 where runs have no partners, and where it"
    " is not known of every run whether it is healthy, so that these shares are not compared",
    **difference_columns("healthy", "share of healthy runs"),
    "healthy_test": "test of no difference: of runs at one setting as in `comparisons`; of several, " + BY_SEEDS,
    "metric": "metric by which runs are compared: the first one with a better end",
    "improvement": "probability that a run of the first method has a better final value than a run of the second at the"
    " same setting, failed runs and those without a value being worse than any, undetermined ones counting by their"
    " value; ties count half",
    "improvement_low": "lower bound of its 95% interval (Clopper and Pearson)",
    "improvement_high": "upper bound of its 95% interval",
    "improvement_p_value": "p-value of equal scores (permutation of seeds, which keep their runs at all settings)",
    **{
        f"{way}_p_value_adjusted": f"`{way}_p_value`, adjusted for all p-values of this table (false discovery rate)"
        for way in WAYS
    },
    "min_p_value": "the least p-value that these tests could have given, if every run of one method were healthy and"
    " scored better than any run of the other, none of which were: above 0.05, no result of so few runs tells the two"
    " apart",
    "better": "the method that these runs show to be the better one: by the shares of healthy runs where their adjusted"
    " p-value is at most 0.05, otherwise by the scores where theirs is; empty where neither is",
    "decided_by": "what tells them apart: " + " or ".join(WAYS.values()),
    "runs_needed": "number of runs of each method that would tell them apart with a probability of 80%, if the shares"
    " are as seen: the lesser of the numbers for healthy runs and for scores; empty where they are told apart, where no"
    " difference is seen, and above 10,000",
    "runs_needed_by": "what would tell them apart with so many runs",
}
TEXTS = ("dataset", "first", "second", "healthy_test", "metric", "better", "decided_by", "runs_needed_by")
COUNTS = (
    *("settings", "first_runs", "first_healthy", "second_runs", "second_healthy", "pairs"),
    "runs_needed",
)

Found = tuple[RateDifference | None, Improvement | None]


def ranking_tests(collected: Collected) -> pd.DataFrame:
    """Test every two methods of a data set.

    Returns:
        One row per pair of methods with the columns `COLUMNS`, in the order of the table of runs. Without a setting in
        common, only the first four have values.
    """
    if "ranking_tests" not in collected.derived:  # exact tests of many pairs take seconds
        collected.derived["ranking_tests"] = _ranking_tests(collected)
    return collected.derived["ranking_tests"].copy()


def tests_made(table: pd.DataFrame) -> int:
    """The number of tests by whose number the p-values of a table are adjusted: those that have a p-value."""
    return int(table[[f"{way}_p_value" for way in WAYS]].notna().to_numpy().sum())


def _ranking_tests(collected: Collected) -> pd.DataFrame:
    pairs = [(pair, *_test(collected, pair["first"], pair["second"])) for pair in method_pairs(collected)]
    table = pd.DataFrame([names | columns for names, columns, _ in pairs], columns=list(COLUMNS))
    table = table.astype({name: object if name in (*TEXTS, "own_rates") else "float64" for name in COLUMNS})
    p_values = table[[f"{way}_p_value" for way in WAYS]].to_numpy(dtype=np.float64)
    adjusted = false_discovery_adjusted(p_values.ravel())
    table[[f"{way}_p_value_adjusted" for way in WAYS]] = adjusted.reshape(p_values.shape)
    level = _level_of_next(adjusted)
    decided = [
        _verdict(row) | ({} if told_apart_by(row) else _effort(row, found, level))
        for row, (*_, found) in zip(table.to_dict("records"), pairs, strict=True)
    ]
    last = ["better", "decided_by", "runs_needed", "runs_needed_by"]
    table[last] = pd.DataFrame(decided, columns=last, index=table.index).astype(object)
    return table.astype({"runs_needed": "float64"}).astype(dict.fromkeys(COUNTS, "Int64") | {"own_rates": "boolean"})


def told_apart_by(row: dict[str, object]) -> str | None:
    """The test of a pair that tells its methods apart, the first of `WAYS` that does; None where neither does."""
    return next((way for way in WAYS if row[f"{way}_p_value_adjusted"] <= LEVEL), None)


def _test(collected: Collected, first: str, second: str) -> tuple[dict[str, object], Found]:
    """The columns of one pair of methods, as far as they have values, and what the tests found."""
    both, within = at_common_settings(collected, first, second), SETTING
    if both[0].empty:
        both, within = _at_own_rates(collected, first, second), ("n_train",)
    if both[0].empty:
        return {"settings": 0}, (None, None)
    row: dict[str, object] = {"settings": len(set(keys(both[0], within))), "own_rates": within != SETTING}
    for name, runs in zip(("first", "second"), both, strict=True):
        row |= {f"{name}_runs": len(runs), f"{name}_healthy": int(healthy(runs).sum())}
    difference, better = compare_shares(*both, within, healthy), None
    least = []
    if difference is not None:
        row |= difference_values("healthy", difference)
        # A share of 1 against one of 0: as far apart as the numbers of runs allow.
        least.append(compare_shares(*both, within, lambda runs: runs["method"] == first).p_value)
        if row["settings"] > 1:  # at which a seed has the same random streams, and perhaps the same luck
            test = seeds_test(both, lambda runs: (~healthy(runs)).to_numpy(dtype=float), within)
            row |= {"healthy_test": BY_SEEDS, "healthy_p_value": test.p_value}
            least = [test.min_p_value]
    metric = primary_metric(collected, first)
    if metric is not None:
        better, test = improvement(both, metric, collected.metrics[metric], within)
        row |= {"metric": metric, "improvement": better.value, "improvement_p_value": test.p_value}
        row |= {"improvement_low": better.low, "improvement_high": better.high}
        least.append(test.min_p_value)
    row["min_p_value"] = min([*least, 1.0]) if least else None
    return row | {"pairs": row.get("pairs", 0)}, (difference, better)


def _at_own_rates(collected: Collected, first: str, second: str) -> list[pd.DataFrame]:
    """The runs of two methods of one learning rate each, such as those of two optimizers, at the numbers of examples of
    both; two empty tables where one has several, since which of them is to count would be a choice by results."""
    both = [collected.runs[collected.runs["method"] == name] for name in (first, second)]
    if any(len(set(keys(runs, SETTING[1:]))) > 1 for runs in both):
        return [runs[:0] for runs in both]
    return at_common(*both, ["n_train"])


def _verdict(row: dict[str, object]) -> dict[str, object]:
    way = told_apart_by(row)
    if way is None:
        return {}
    first = row["healthy_difference"] > 0 if way == "healthy" else row["improvement"] > 0.5
    return {"better": row["first" if first else "second"], "decided_by": WAYS[way]}


def _level_of_next(adjusted: np.ndarray) -> float:
    """The p-value at which one more of the tests would be decided beside those that are."""
    tests, decided = int((~np.isnan(adjusted)).sum()), int((adjusted <= LEVEL).sum())
    return level_of_next(tests, decided) if decided < tests else LEVEL


def _effort(row: dict[str, object], found: Found, level: float) -> dict[str, object]:
    """The number of runs of each method that would tell them apart, and by what."""
    difference, better = found
    needed: dict[str, int | None] = {}
    if difference is not None:
        needed["healthy"] = runs_needed(difference, level=level)
    if better is not None and (runs := runs_for_improvement(better.value, better.settings, level=level)) is not None:
        needed["improvement"] = runs * better.settings
    known = {way: runs for way, runs in needed.items() if runs is not None}
    if not known:
        return {}
    least = min(known, key=known.__getitem__)
    return {"runs_needed": known[least], "runs_needed_by": WAYS[least]}
