"""The methods of every data set in an order, with the ranks that the tests of `ranking_tests` leave open."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, RUNS, SETTING
from ganbench.analysis.comparisons import methods_by_dataset
from ganbench.analysis.methods import (
    as_loss,
    failed,
    healthy_rate,
    median_bounds,
    median_value,
    not_learned,
    primary_metric,
)
from ganbench.analysis.pairing import keys

COLUMNS = {
    "dataset": AXES["dataset"],
    "place": "place in the list of the methods of the data set, from 1: by rank, share of healthy runs and median",
    "rank": "1 and the number of methods that are shown to be better; methods that are not told apart from the best"
    " share the rank 1",
    "rank_last": "number of methods less the number of those that are shown to be worse: the worst rank that the tests"
    " leave open",
    "method": RUNS["method"],
    "settings": "number of settings it was run at: training examples and learning rates",
    "seeds": "number of different seeds of its runs; runs of one seed share random streams over settings",
    "runs": "number of its runs, all of which count",
    "healthy": "number of these that are healthy: they had learned by their end and had not failed",
    "failed": "number of these that were seen to fail",
    "not_learned": "number of these that neither failed nor had learned by their end",
    "undetermined": "number of these of which it is not known whether they failed",
    "healthy_share": "healthy / runs; empty where one run or more are undetermined",
    "healthy_low": "lower bound of its 95% Wilson interval, undetermined runs counted as not healthy",
    "healthy_high": "upper bound of its 95% Wilson interval, undetermined runs counted as healthy",
    "metric": "metric of the scores: the first one with a better end",
    "median": "median of its final values over all runs and settings, of which runs that failed or have no value count"
    " as worse than any; empty where these are half of the runs or more",
    "median_low": "lower bound of the median's interval of 95% or more; infinite where runs that failed or have no"
    " value reach into it, empty below six runs",
    "median_high": "upper bound of the median's interval, likewise",
    "next": "the method at the next place; empty at the last",
    "next_improvement": "probability that a run of this method has a better final value than a run of the next at the"
    " same setting, failed runs being worse than any; empty without a setting in common",
    "next_low": "lower bound of its 95% interval",
    "next_high": "upper bound of its 95% interval",
    "next_decided_by": "what tells this method and the next apart; empty where nothing does",
    "next_runs_needed": "number of runs of each that would tell them apart, see `runs_needed` in the table of tests",
}
TEXTS = ("dataset", "method", "metric", "next", "next_decided_by")
COUNTS = (
    *("place", "rank", "rank_last", "settings", "seeds", "runs", "healthy", "failed", "not_learned", "undetermined"),
    "next_runs_needed",
)


def ranking(collected: Collected, tests: pd.DataFrame) -> pd.DataFrame:
    """Put the methods of every data set in an order.

    A method's rank is 1 and the number of methods that are shown to be better. So methods that are not told apart from
    the best share the first rank, and the ranks from `rank` to `rank_last` are those that the tests leave open, as in
    M. Mogstad, J. P. Romano, A. M. Shaikh and D. Wilhelm (2024), "Inference for ranks with applications to mobility
    across neighbourhoods and academic achievement across countries", Review of Economic Studies 91, though with a false
    discovery rate for the tests in place of their familywise error.

    Args:
        collected: the study's results.
        tests: what `ganbench.analysis.ranking_tests.ranking_tests` returned for them.

    Returns:
        One row per method with the columns `COLUMNS`, by data set in the order of the table of runs, then by place.
    """
    rows = []
    for dataset, names in methods_by_dataset(collected):
        mine = tests[tests["dataset"] == dataset]
        found = [_method(collected, name, mine, len(names)) for name in names]
        found.sort(key=lambda row: (row["rank"], -row["healthy"] / row["runs"], _loss(collected, row)))
        for place, row in enumerate(found):
            later = _against(mine, row["method"], found[place + 1]["method"]) if place + 1 < len(found) else {}
            rows.append({"dataset": dataset, "place": place + 1} | row | later)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.astype({name: object if name in TEXTS else "float64" for name in COLUMNS})
    return table.astype(dict.fromkeys(COUNTS, "Int64"))


def pair_of(tests: pd.DataFrame, one: str, other: str) -> tuple[pd.Series, bool]:
    """The row of the tests of two methods, and whether the one that is named first is the first in it."""
    for first, second in ((one, other), (other, one)):
        found = tests[(tests["first"] == first) & (tests["second"] == second)]
        if len(found):
            return found.iloc[0], first == one
    raise KeyError(f"no test of {one} and {other}")


def chance(row: pd.Series, first: bool) -> tuple[float, float, float]:
    """The probability that a run of one method of a pair beats one of the other, with the bounds of its interval.

    Args:
        row: the row of the pair in the table of tests.
        first: whether the method is the first of the pair.
    """
    value, low, high = (float(row[name]) for name in ("improvement", "improvement_low", "improvement_high"))
    return (value, low, high) if first else (1 - value, 1 - high, 1 - low)


def _method(collected: Collected, name: str, tests: pd.DataFrame, methods: int) -> dict[str, object]:
    """The columns of a method by itself, and its ranks."""
    runs = collected.runs[collected.runs["method"] == name]
    mine = tests[(tests["first"] == name) | (tests["second"] == name)]
    told = mine["better"].dropna()
    rate, metric = healthy_rate(runs), primary_metric(collected, name)
    row = {
        "rank": 1 + int((told != name).sum()),
        "rank_last": methods - int((told == name).sum()),
        "method": name,
        "settings": len(set(keys(runs, SETTING))),
        "seeds": runs["seed"].nunique(),
        "runs": len(runs),
        "healthy": rate.count,
        "failed": int(failed(runs).sum()),
        "not_learned": int(not_learned(runs).sum()),
        "undetermined": rate.unknown,
        "healthy_share": rate.value,
        "healthy_low": rate.lower,
        "healthy_high": rate.upper,
    }
    if metric is not None:
        info = collected.metrics[metric]
        low, high = median_bounds(runs, metric, info)
        row |= {"metric": metric, "median": median_value(runs, metric, info), "median_low": low, "median_high": high}
    return row


def _loss(collected: Collected, row: dict[str, object]) -> float:
    """A method's median with the smaller ones better; infinite where it has none."""
    if row.get("metric") is None:
        return np.inf
    return float(as_loss(np.array([row["median"]]), collected.metrics[row["metric"]])[0])


def _against(tests: pd.DataFrame, name: str, other: str) -> dict[str, object]:
    """The columns of a method beside the next one."""
    row, first = pair_of(tests, name, other)
    value, low, high = chance(row, first)
    found = {"next": other, "next_improvement": value, "next_low": low, "next_high": high}
    needed = None if pd.isna(row["runs_needed"]) else int(row["runs_needed"])
    return found | {"next_decided_by": row["decided_by"], "next_runs_needed": needed}
