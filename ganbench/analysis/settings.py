"""The settings table: runs that differ in nothing but their seed, put into one row with counts and spreads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected, MetricInfo
from ganbench.analysis.columns import AXES, OUTCOMES, RUNS, SETTING
from ganbench.analysis.contenders import contenders, failed
from ganbench.analysis.statistics import spread, wilson

KEY = (*SETTING, "contender")

# Every interval draws from a generator of its own, so that a row's bounds do not move when other rows are added.
BOOTSTRAP_SEED = 20210813

COUNTS = {
    "runs": "number of runs, one per seed",
    **{f"outcome_{name}": f"number of runs with the outcome {name}: {what}" for name, what in OUTCOMES.items()},
    "failed": "number of runs with any other outcome than finished",
    "failure_rate": "failed / runs",
    "failure_low": "lower bound of the 95% Wilson interval of the failure rate",
    "failure_high": "upper bound of the 95% Wilson interval of the failure rate",
}

SPREADS = {
    "values": "number of runs that have a value; the others failed before one could be measured",
    "median": "median over the runs that have a value",
    "iqm": "interquartile mean over the runs that have a value (a quarter of them cut from either end, rounded down)",
    "iqm_low": "lower bound of the interquartile mean's 95% percentile bootstrap interval; empty below two values",
    "iqm_high": "upper bound of the interquartile mean's 95% percentile bootstrap interval; empty below two values",
    "min": "smallest value",
    "max": "largest value",
}


def columns(metrics: dict[str, MetricInfo]) -> dict[str, str]:
    """What every column of the settings table holds, in its order."""
    described = {
        f"{metric}_{part}": f"{info.title}, last snapshot: {what}"
        for metric, info in metrics.items()
        for part, what in SPREADS.items()
    }
    return {**{name: AXES[name] for name in SETTING}, "contender": RUNS["contender"], **COUNTS, **described}


def settings(collected: Collected) -> pd.DataFrame:
    """One row per setting: outcome counts, the failure rate, and every metric's spread over seeds.

    Returns:
        A table with the columns of `columns(collected.metrics)`, ordered by contender as in the runs, then by the axes.

    Raises:
        ValueError: a run has an outcome that `ganbench.analysis.columns.OUTCOMES` does not name.
    """
    unknown = sorted(set(collected.runs["outcome"]) - set(OUTCOMES))
    if unknown:
        raise ValueError(f"unknown outcomes {unknown}: name them in ganbench.analysis.columns.OUTCOMES")
    rows = [
        {**dict(zip(KEY, key, strict=True)), **_counts(runs), **_spreads(runs, collected.metrics)}
        for key, runs in collected.runs.groupby(list(KEY), dropna=False)
    ]
    table = pd.DataFrame(rows, columns=list(columns(collected.metrics)))
    order = {name: place for place, name in enumerate(contenders(collected))}
    return table.sort_values(
        ["contender", "n_train", "learning_rate"],
        key=lambda column: column.map(order) if column.name == "contender" else column,
        kind="stable",
        ignore_index=True,
    )


def _counts(runs: pd.DataFrame) -> dict[str, float]:
    rate = wilson(int(failed(runs).sum()), len(runs))
    return {
        "runs": len(runs),
        **{f"outcome_{name}": int((runs["outcome"] == name).sum()) for name in OUTCOMES},
        "failed": rate.count,
        "failure_rate": rate.value,
        "failure_low": rate.lower,
        "failure_high": rate.upper,
    }


def _spreads(runs: pd.DataFrame, metrics: dict[str, MetricInfo]) -> dict[str, float]:
    row = {}
    for metric in metrics:
        values = runs[f"{metric}_final"].to_numpy(dtype=np.float64)
        summary = spread(values, failed(runs).to_numpy(), np.random.default_rng(BOOTSTRAP_SEED))
        row |= {f"{metric}_{part}": getattr(summary, part) for part in SPREADS}
    return row
