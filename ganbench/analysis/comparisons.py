"""Methods of one data set compared with one another, at the settings that both were run at.

Three questions are asked of every two methods: whether one fails more often, whether it fails earlier, and how probably
a run of it scores better, where a failed run is the worst and an undetermined one counts by its score. All p-values of
the table are adjusted together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, SETTING
from ganbench.analysis.methods import (
    dataset_of,
    failed,
    failure_times,
    final_losses,
    methods,
    not_learned,
    primary_metric,
    undetermined,
)
from ganbench.analysis.pairing import (
    at_common,
    compare_failures,
    difference_columns,
    difference_values,
    keys,
    runs_needed,
)
from ganbench.analysis.statistics.improvement import (
    Improvement,
    PermutationTest,
    permutation_test,
    probability_of_improvement,
)
from ganbench.analysis.statistics.multiplicity import LEVEL, false_discovery_adjusted, level_of_next
from ganbench.analysis.statistics.rate_differences import RateDifference
from ganbench.analysis.statistics.survival import log_rank
from ganbench.core.metric_info import MetricInfo

# The tests of a comparison, in the order of their columns.
TESTS = ("failure", "log_rank", "improvement")

TEXTS = ("dataset", "first", "second", "failure_test", "metric")
COUNTS = (
    *("settings", "first_runs", "first_failed", "first_not_learned"),
    *("second_runs", "second_failed", "second_not_learned"),
    *("undetermined", "pairs", "failure_needed"),
)
COLUMNS = {
    "dataset": AXES["dataset"],
    "first": "one of the two methods",
    "second": "the other method",
    "settings": "number of settings that both were run at: training examples and learning rates; only these count",
    "first_runs": "number of runs of the first method at these settings",
    "first_failed": "number of these that were seen to fail",
    "first_not_learned": "number of these that neither failed nor had learned by their end",
    "second_runs": "number of runs of the second method at these settings",
    "second_failed": "number of these that were seen to fail",
    "second_not_learned": "number of these that neither failed nor had learned by their end",
    "undetermined": "number of runs of either method of which it is not known whether they failed; then failures are"
    " not compared, and these runs count as ended without a failure where the time to it is",
    "pairs": "number of pairs of runs that are alike in setting and seed; 0 where runs have no partners",
    **difference_columns("failure", "failure rate"),
    "failure_needed": "number of pairs, or of runs of each method, that would tell the failure rates apart with a"
    " probability of 80%, if the shares are as seen; empty where they are told apart or equal, and above 10,000",
    "log_rank_p_value": "p-value of equal times to failure (log-rank test within settings, by permutation); empty where"
    " no failure tells",
    "metric": "metric by which runs are compared: the first one with a better end",
    "improvement": "probability that a run of the first method has a better final value than a run of the second at the"
    " same setting, failed runs and those without a value being worse than any, undetermined ones counting by their"
    " value; ties count half",
    "improvement_low": "lower bound of its 95% interval (Clopper and Pearson, with the number of settings times the"
    " least number of runs that one of the two methods has at a setting)",
    "improvement_high": "upper bound of its 95% interval",
    "improvement_p_value": "p-value of equal scores (permutation of seeds, which keep their runs at all settings)",
    **{
        f"{test}_p_value_adjusted": f"`{test}_p_value`, adjusted for all p-values of this table (false discovery rate)"
        for test in TESTS
    },
}


def comparisons(collected: Collected) -> pd.DataFrame:
    """Compare every two methods of a data set.

    Returns:
        One row per pair of methods with the columns `COLUMNS`, in the order of the table of runs. Without a setting in
        common, only the first four have values.
    """
    return adjusted_table(
        [(pair, *compare_pair(collected, pair["first"], pair["second"])) for pair in method_pairs(collected)]
    )


def method_pairs(collected: Collected) -> Iterator[dict[str, str]]:
    """Every two methods of a data set: the columns `dataset`, `first` and `second` of a table of their tests."""
    for dataset, names in methods_by_dataset(collected):
        for first, second in combinations(names, 2):
            yield {"dataset": dataset, "first": first, "second": second}


def adjusted_table(pairs: Sequence[tuple[dict[str, object], dict[str, object], RateDifference | None]]) -> pd.DataFrame:
    """Tabulate comparisons, with p-values that are adjusted together.

    Args:
        pairs: by comparison, the columns that name it, and what `compare_pair` found.

    Returns:
        One row per comparison with the columns `COLUMNS`.
    """
    table = pd.DataFrame([names | columns for names, columns, _ in pairs], columns=list(COLUMNS))
    table = table.astype({name: object if name in TEXTS else "float64" for name in COLUMNS})
    p_values = table[[f"{test}_p_value" for test in TESTS]].to_numpy(dtype=np.float64)
    adjusted = false_discovery_adjusted(p_values.ravel())
    table[[f"{test}_p_value_adjusted" for test in TESTS]] = adjusted.reshape(p_values.shape)
    table["failure_needed"] = _needed(table, [difference for *_, difference in pairs], adjusted)
    return table.astype(dict.fromkeys(COUNTS, "Int64"))


def _needed(table: pd.DataFrame, differences: list[RateDifference | None], adjusted: np.ndarray) -> list[float | None]:
    """The column `failure_needed`, by the level at which one more test would be decided beside those that are."""
    tests, decided = int((~np.isnan(adjusted)).sum()), int((adjusted <= LEVEL).sum())
    needed = []
    for (_, row), difference in zip(table.iterrows(), differences, strict=True):
        if difference is None or difference.value == 0 or row["failure_p_value_adjusted"] <= LEVEL:
            needed.append(None)
        else:
            needed.append(runs_needed(difference, level=level_of_next(tests, decided)))
    return needed


def methods_by_dataset(collected: Collected) -> Iterator[tuple[str, list[str]]]:
    """Iterate over the data sets with their methods, both in the order of the table of runs."""
    names = methods(collected)
    for dataset in dict.fromkeys(dataset_of(collected, name) for name in names):
        yield dataset, [name for name in names if dataset_of(collected, name) == dataset]


def losses_by_setting(
    runs: pd.DataFrame, metric: str, info: MetricInfo, within: Sequence[str] = SETTING
) -> dict[tuple, np.ndarray]:
    """The final losses of one method's runs by their setting, see `final_losses`."""
    losses = final_losses(runs, metric, info)
    return {setting: losses[rows] for setting, rows in _by_setting(runs, within).items()}


def improvement(
    both: Sequence[pd.DataFrame], metric: str, info: MetricInfo, within: Sequence[str] = SETTING
) -> tuple[Improvement, PermutationTest]:
    """The probability that a run of the first method beats one of the second, of runs at the settings of both, and the
    test of whether they score alike.

    Args:
        both: the runs of each method.
        metric: the metric by which a run beats another.
        info: what the metric is.
        within: the columns in which runs of one setting agree.
    """

    def losses(runs: pd.DataFrame) -> np.ndarray:
        return final_losses(runs, metric, info)

    return probability_of_improvement(*_at_settings(both, losses, within)), seeds_test(both, losses, within)


def seeds_test(
    both: Sequence[pd.DataFrame], losses: Callable[[pd.DataFrame], np.ndarray], within: Sequence[str] = SETTING
) -> PermutationTest:
    """The test of whether runs of two methods are alike in a loss, by dealing their seeds anew.

    Args:
        both: the runs of each method, at the settings of both.
        losses: the loss of each run, shape (runs,).
        within: the columns in which runs of one setting agree.
    """
    seeds = _at_settings(both, lambda runs: runs["seed"].to_numpy(), within)
    return permutation_test(*_at_settings(both, losses, within), seeds)


def _at_settings(
    both: Sequence[pd.DataFrame], values: Callable[[pd.DataFrame], np.ndarray], within: Sequence[str]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A value of each method's runs by setting, both in the order of the first one's settings."""
    first, second = (_by_setting(runs, within) for runs in both)
    one, two = (values(runs) for runs in both)
    return [one[rows] for rows in first.values()], [two[second[setting]] for setting in first]


def _by_setting(runs: pd.DataFrame, within: Sequence[str]) -> dict[tuple, np.ndarray]:
    """The rows of the runs of each setting."""
    settings = keys(runs, within)
    return {setting: np.flatnonzero([each == setting for each in settings]) for setting in dict.fromkeys(settings)}


def at_common_settings(collected: Collected, first: str, second: str) -> list[pd.DataFrame]:
    """The runs of each of two methods at the settings that both were run at; two empty tables where there are none."""
    return at_common(*(collected.runs[collected.runs["method"] == name] for name in (first, second)), SETTING)


def compare_pair(collected: Collected, first: str, second: str) -> tuple[dict[str, object], RateDifference | None]:
    """The columns of one pair of methods, as far as they have values, and the difference of their failure rates."""
    both = at_common_settings(collected, first, second)
    if both[0].empty:
        return {"settings": 0}, None
    unknown = sum(int(undetermined(runs).sum()) for runs in both)
    row: dict[str, object] = {"settings": len(set(keys(both[0], SETTING))), "undetermined": unknown}
    for name, runs in zip(("first", "second"), both, strict=True):
        row |= {f"{name}_runs": len(runs), f"{name}_failed": int(failed(runs).sum())}
        row[f"{name}_not_learned"] = int(not_learned(runs).sum())
    difference = compare_failures(*both, SETTING)
    if difference is not None:
        row |= difference_values("failure", difference)
    row["log_rank_p_value"] = log_rank_within_settings(pd.concat(both))
    metric = primary_metric(collected, first)
    if metric is not None:
        found, test = improvement(both, metric, collected.metrics[metric])
        row |= {"metric": metric, "improvement": found.value, "improvement_p_value": test.p_value}
        row |= {"improvement_low": found.low, "improvement_high": found.high}
    return row, difference


def log_rank_within_settings(runs: pd.DataFrame) -> float:
    """The p-value of the log-rank test of whether methods differ in their time to failure, within settings."""
    settings = {key: index for index, key in enumerate(dict.fromkeys(keys(runs, SETTING)))}
    strata = np.array([settings[key] for key in keys(runs, SETTING)])
    return log_rank(*failure_times(runs), runs["method"].to_numpy(), strata)
