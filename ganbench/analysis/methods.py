"""The methods of a study, their failure rates, and the metrics that represent them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import FAILURES, FINISHED, UNDETERMINED
from ganbench.analysis.statistics import Rate, wilson
from ganbench.core.metric_info import MetricInfo


def methods(collected: Collected) -> list[str]:
    """Methods in the order in which the table of runs names them."""
    return list(dict.fromkeys(collected.runs["method"]))


def dataset_of(collected: Collected, method: str) -> str:
    """The data set of a method, which decides what can be measured."""
    return collected.runs.loc[collected.runs["method"] == method, "dataset"].iloc[0]


def failed(runs: pd.DataFrame) -> pd.Series:
    """Whether each run was seen to fail."""
    return runs["outcome"].isin(list(FAILURES))


def undetermined(runs: pd.DataFrame) -> pd.Series:
    """Whether each run's outcome is undetermined: a failure that it may have had was not measured."""
    return runs["outcome"] == UNDETERMINED


def failure_rate(runs: pd.DataFrame) -> Rate:
    """The rate of failed runs, with the number of runs whose outcome is undetermined."""
    return wilson(int(failed(runs).sum()), len(runs), unknown=int(undetermined(runs).sum()))


def outcome_indicator(runs: pd.DataFrame, outcome: str) -> pd.Series:
    """Whether each run had an outcome: 1 or 0, NaN where that was not judged.

    A failure that was seen in a run rules out the failures that are checked after it.
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

    The data set decides, not the method: a method whose runs all diverged before their first snapshots must still show
    that it lacks the values that other methods have.
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
    """The metric that represents a method: the first with values and a better end; None where there is none."""
    return next((name for name in measured_metrics(collected, method) if collected.metrics[name].best != "none"), None)


def as_loss(values: np.ndarray, info: MetricInfo) -> np.ndarray:
    """A metric's values as losses, where smaller is better. A missing value is infinite, worse than any other.

    If runs without a value were left out, a setting could win by losing its bad runs.
    """
    signed = np.asarray(values, dtype=np.float64) * (-1.0 if info.best == "high" else 1.0)
    return np.where(np.isfinite(signed), signed, np.inf)


def final_values(runs: pd.DataFrame, metric: str) -> np.ndarray:
    """A metric at the end of each run, shape (runs,); NaN for diverged runs, whatever they scored before.

    The last snapshot of a diverged run may have a good score, but it is not the result of the training.
    """
    values = runs[f"{metric}_final"].to_numpy(dtype=np.float64)
    return np.where((runs["outcome"] == "diverged").to_numpy() | ~np.isfinite(values), np.nan, values)


def median_value(runs: pd.DataFrame, metric: str, info: MetricInfo) -> float:
    """Median of a metric over the runs of a setting, by which settings are ranked.

    Runs that diverged or have no value count as worse than any other. The median is NaN where half of the runs or more
    are such. Where neither end of a metric is better, such runs cannot be ordered and are left out.
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
    """A quantity measured on real data; None where it was not measured."""
    table = collected.references
    found = table.loc[(table["dataset"] == dataset) & (table["quantity"] == quantity), "value"]
    return float(found.iloc[0]) if len(found) and np.isfinite(found.iloc[0]) else None
