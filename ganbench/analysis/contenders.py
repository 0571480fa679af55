"""Which contenders a study has, and which metrics speak for each of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected, MetricInfo


def contenders(collected: Collected) -> list[str]:
    """Contenders in the order in which the table of runs names them."""
    return list(dict.fromkeys(collected.runs["contender"]))


def dataset_of(collected: Collected, contender: str) -> str:
    """The data set of a contender: the part of its choices that decides what can be measured."""
    return collected.runs.loc[collected.runs["contender"] == contender, "dataset"].iloc[0]


def failed(runs: pd.DataFrame) -> pd.Series:
    """Whether each run failed: anything but having finished."""
    return runs["outcome"] != "finished"


def measured(collected: Collected, contender: str) -> list[str]:
    """Metrics with at least one value on the contender's data set, the most telling first.

    The data set decides, not the contender: a contender whose every run diverged before its first snapshot still has to
    show that it lacks the values its rivals have.
    """
    dataset = dataset_of(collected, contender)
    tables = [table[table["dataset"] == dataset] for table in (collected.snapshots, collected.runs)]
    return [
        name
        for name in collected.metrics
        if any(
            np.isfinite(pd.to_numeric(table[column])).any()
            for table, column in zip(tables, (name, f"{name}_final"), strict=True)
        )
    ]


def headline(collected: Collected, contender: str) -> str | None:
    """The metric that speaks for a contender: the first with values and a better end; None where there is none."""
    return next((name for name in measured(collected, contender) if collected.metrics[name].best != "none"), None)


def as_loss(values: np.ndarray, info: MetricInfo) -> np.ndarray:
    """Turn a metric's values so that smaller is better; no value counts as worse than any (infinity).

    Leaving out the runs without a value instead would let a setting win by losing its bad runs.
    """
    signed = np.asarray(values, dtype=np.float64) * (-1.0 if info.best == "high" else 1.0)
    return np.where(np.isfinite(signed), signed, np.inf)


def final_losses(runs: pd.DataFrame, metric: str, info: MetricInfo) -> np.ndarray:
    """A metric at the end of each run, smaller is better; infinite for diverged runs, whatever they scored before.

    The last snapshot that a diverged run reached may have been a good one. It is not what training led to.
    """
    losses = as_loss(runs[f"{metric}_final"].to_numpy(dtype=np.float64), info)
    return np.where((runs["outcome"] == "diverged").to_numpy(), np.inf, losses)


def reference(collected: Collected, dataset: str, quantity: str) -> float | None:
    """A quantity measured on real data, or None where it was not."""
    table = collected.references
    found = table.loc[(table["dataset"] == dataset) & (table["quantity"] == quantity), "value"]
    return float(found.iloc[0]) if len(found) and np.isfinite(found.iloc[0]) else None
