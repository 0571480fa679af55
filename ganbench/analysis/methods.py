"""Which methods a study has, and which metrics speak for each of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected, MetricInfo
from ganbench.analysis.columns import FAILURES, FINISHED, UNDETERMINED
from ganbench.analysis.statistics import Rate, wilson


def methods(collected: Collected) -> list[str]:
    """Methods in the order in which the table of runs names them."""
    return list(dict.fromkeys(collected.runs["method"]))


def dataset_of(collected: Collected, method: str) -> str:
    """The data set of a method: the part of its choices that decides what can be measured."""
    return collected.runs.loc[collected.runs["method"] == method, "dataset"].iloc[0]


def failed(runs: pd.DataFrame) -> pd.Series:
    """Whether each run was seen to fail."""
    return runs["outcome"].isin(list(FAILURES))


def undetermined(runs: pd.DataFrame) -> pd.Series:
    """Whether it is not known of each run if it failed: a failure that it may have had was not measured."""
    return runs["outcome"] == UNDETERMINED


def failure_rate(runs: pd.DataFrame) -> Rate:
    """How many of the runs failed, and of how many that is not known."""
    return wilson(int(failed(runs).sum()), len(runs), unknown=int(undetermined(runs).sum()))


def outcome_indicator(runs: pd.DataFrame, outcome: str) -> pd.Series:
    """Whether each run had an outcome: 1 or 0, NaN where that was not judged.

    A failure that a run was seen to have rules out those that are looked for after it.
    """
    found = runs["outcome"] == outcome
    if outcome == FINISHED:
        known = ~undetermined(runs)
    elif outcome in FAILURES:
        judged = runs["failures_judged"].fillna("").str.split(", ").map(lambda names: outcome in names)
        earlier = list(FAILURES)[: list(FAILURES).index(outcome)]
        known = found | judged.astype(bool) | runs["outcome"].isin(earlier)
    else:
        known = found | True
    return found.astype("float64").where(known)


def measured_metrics(collected: Collected, method: str) -> list[str]:
    """Metrics with at least one value on the method's data set, the most telling first.

    The data set decides, not the method: a method whose every run diverged before its first snapshot still has to
    show that it lacks the values its rivals have.
    """
    dataset = dataset_of(collected, method)
    tables = [table[table["dataset"] == dataset] for table in (collected.snapshots, collected.runs)]
    return [
        name
        for name in collected.metrics
        if any(
            np.isfinite(pd.to_numeric(table[column])).any()
            for table, column in zip(tables, (name, f"{name}_final"), strict=True)
        )
    ]


def headline(collected: Collected, method: str) -> str | None:
    """The metric that speaks for a method: the first with values and a better end; None where there is none."""
    return next((name for name in measured_metrics(collected, method) if collected.metrics[name].best != "none"), None)


def as_loss(values: np.ndarray, info: MetricInfo) -> np.ndarray:
    """Turn a metric's values so that smaller is better; no value counts as worse than any (infinity).

    Leaving out the runs without a value instead would let a setting win by losing its bad runs.
    """
    signed = np.asarray(values, dtype=np.float64) * (-1.0 if info.best == "high" else 1.0)
    return np.where(np.isfinite(signed), signed, np.inf)


def final_values(runs: pd.DataFrame, metric: str) -> np.ndarray:
    """A metric at the end of each run; NaN for diverged runs, whatever they scored before, shape (runs,).

    The last snapshot that a diverged run reached may have been a good one. It is not what training led to.
    """
    values = runs[f"{metric}_final"].to_numpy(dtype=np.float64)
    return np.where((runs["outcome"] == "diverged").to_numpy() | ~np.isfinite(values), np.nan, values)


def median_value(runs: pd.DataFrame, metric: str, info: MetricInfo) -> float:
    """Median of a metric over the runs of a setting: the number that settings are ranked by, wherever it is shown.

    It is over all runs: those that diverged or have no value count as worse than any. NaN where the middle falls on
    such a run, that is, where half of the runs or more are such. Where neither end of a metric is better, such runs
    have no place in an order and are left out.
    """
    values = final_values(runs, metric)
    if info.best == "none":
        values = values[np.isfinite(values)]
    if not len(values):
        return float("nan")
    losses = np.sort(as_loss(values, info))
    middle = losses[[(len(losses) - 1) // 2, len(losses) // 2]]
    if not np.isfinite(middle).all():
        return float("nan")
    return float(middle.mean()) * (-1.0 if info.best == "high" else 1.0)


def reference(collected: Collected, dataset: str, quantity: str) -> float | None:
    """A quantity measured on real data, or None where it was not."""
    table = collected.references
    found = table.loc[(table["dataset"] == dataset) & (table["quantity"] == quantity), "value"]
    return float(found.iloc[0]) if len(found) and np.isfinite(found.iloc[0]) else None
