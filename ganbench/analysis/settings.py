"""The table of settings: one row, with counts and spreads, for the runs of a method that differ only in their seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, OUTCOMES, RUNS, SETTING, UNDETERMINED
from ganbench.analysis.methods import (
    amounts,
    as_loss,
    failed_or_missing,
    failure_rate,
    final_values,
    median_bounds,
    median_value,
    methods,
    primary_indicator,
)
from ganbench.analysis.nulls import null_of
from ganbench.analysis.statistics.interquartile import spread
from ganbench.core.metric_info import MetricInfo

KEY = (*(axis for axis in AXES if axis != "seed"), "method")
AXIS_WORDS = dict(zip(SETTING, ("training examples", "learning rate", "generator learning rate"), strict=True))

# Every interval has its own generator, so that the bounds of a row do not change when other rows are added.
BOOTSTRAP_SEED = 20210813

COUNTS = {
    "runs": "number of runs, one per seed",
    **{
        f"outcome_{name}": f"number of runs with the primary outcome {name}: {what}"
        + ("" if name == UNDETERMINED else "; empty where that is so of none, and not known of all of them")
        for name, what in OUTCOMES.items()
    },
    "failed": "number of runs that were seen to fail; empty where none was and one or more are undetermined",
    "failure_rate": "failed / runs; empty where one run or more are undetermined",
    "failure_low": "lower bound of the 95% Wilson interval of the failure rate, undetermined runs counted as having"
    " not failed",
    "failure_high": "upper bound of the 95% Wilson interval of the failure rate, undetermined runs counted as failed",
}

SPREADS = {
    "values": "number of runs that have a value: those that neither diverged nor were stopped early, of which it is"
    " finite",
    "failed_or_missing": "number of runs that failed or have no value; where neither end is better, that have none",
    "median": "median over all runs, of which those that failed, in any way, or have no value count as worse than any;"
    " undetermined runs count by their value; empty where half of the runs or more failed or have no value; over the"
    " runs of `values` where neither end is better",
    "median_low": "lower bound of the median's interval, one of the values: it holds the median of the method at this"
    " setting with a probability of 95% or more, whatever the distribution; empty below six runs, infinite where runs"
    " that failed or have no value reach into it",
    "median_high": "upper bound of the median's interval, likewise",
    "iqm": "interquartile mean over the runs of `values`, failed ones among them (a quarter of the values cut from"
    " either end, rounded down)",
    "iqm_low": "lower bound of the interquartile mean's 95% studentised interval; empty below two values",
    "iqm_high": "upper bound of the interquartile mean's 95% studentised interval; empty below two values",
    "min": "smallest value of these runs",
    "max": "largest value of these runs",
}

NULLS = {
    "null_low": "lower bound of what real data score, see the table of nulls; empty where that was not measured",
    "null_high": "upper bound of what real data score",
}


def columns(metrics: dict[str, MetricInfo]) -> dict[str, str]:
    """Describe the columns of the table of settings, in their order."""
    described = {
        f"{metric}_{part}": f"{info.title}, last snapshot: {what}"
        for metric, info in amounts(metrics).items()
        for part, what in (SPREADS | NULLS).items()
    }
    return {**{name: RUNS[name] for name in KEY}, **COUNTS, **described}


def settings_table(collected: Collected) -> pd.DataFrame:
    """Tabulate the settings: outcome counts, the failure rate, and every metric's spread over seeds.

    Returns:
        One row per method and setting with the columns of `columns(collected.metrics)`, ordered by method as in the
        table of runs, then by number of training examples and learning rates.

    Raises:
        ValueError: a run has an outcome that `ganbench.analysis.columns.OUTCOMES` does not name.
    """
    if "settings" not in collected.derived:  # the bootstrap of many runs takes seconds
        collected.derived["settings"] = _settings_table(collected)
    return collected.derived["settings"].copy()


def _settings_table(collected: Collected) -> pd.DataFrame:
    unknown = sorted(set(collected.runs["outcome"]) - set(OUTCOMES))
    if unknown:
        raise ValueError(f"unknown outcomes {unknown}: name them in ganbench.analysis.columns.OUTCOMES")
    primary = pd.DataFrame({name: primary_indicator(collected.runs, name) for name in OUTCOMES})
    rows = [
        {**dict(zip(KEY, key, strict=True)), **_counts(runs, primary.loc[runs.index]), **_spreads(runs, collected)}
        for key, runs in collected.runs.groupby(list(KEY), dropna=False)
    ]
    table = pd.DataFrame(rows, columns=list(columns(collected.metrics)))
    counts = [name for name in COUNTS if name.startswith("outcome_")] + ["failed"]
    table[counts] = table[counts].astype("Int64")  # nullable integers
    order = {name: index for index, name in enumerate(methods(collected))}
    return table.sort_values(
        ["method", *SETTING],
        key=lambda column: column.map(order) if column.name == "method" else column,
        kind="stable",
        na_position="first",
        ignore_index=True,
    )


def runs_at(runs: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    """The runs of a row of the table of settings, among `runs`."""
    alike = runs["method"] == row["method"]
    for axis in SETTING:
        alike &= runs[axis].isna() if pd.isna(row[axis]) else runs[axis] == row[axis]
    return runs[alike]


def varying(rows: pd.DataFrame) -> list[str]:
    """The axes that tell the settings of a method apart."""
    # A run without a number of examples plays another game; one without a generator's rate has the other rate.
    return [axis for axis in SETTING if rows[axis].nunique(dropna=axis == "n_train") > 1]


def ranked(rows: pd.DataFrame, metric: str, info: MetricInfo) -> pd.Series:
    """Rank settings by their median: smaller is better, infinite without a median; indexed like the table.

    Every statement on the best or the worst setting uses this rank, and shows the median behind it.
    """
    return pd.Series(as_loss(rows[f"{metric}_median"].to_numpy(dtype=np.float64), info), index=rows.index)


def _counts(runs: pd.DataFrame, primary: pd.DataFrame) -> dict[str, float | None]:
    rate = failure_rate(runs)
    return {
        "runs": len(runs),
        **{f"outcome_{name}": _count(primary[name]) for name in OUTCOMES},
        "failed": rate.count if rate.count or not rate.unknown else None,
        "failure_rate": rate.value,
        "failure_low": rate.lower,
        "failure_high": rate.upper,
    }


def _count(indicator: pd.Series) -> int | None:
    """The number of runs with an outcome; None where no run is known to have it, and some runs were not judged."""
    count = int(indicator.sum())
    return count if count or indicator.notna().all() else None


def _spreads(runs: pd.DataFrame, collected: Collected) -> dict[str, float]:
    row = {}
    for metric, info in amounts(collected.metrics).items():
        if null := null_of(collected, runs["dataset"].iloc[0], metric):
            row |= {f"{metric}_null_low": null.low, f"{metric}_null_high": null.high}
        summary = spread(final_values(runs, metric), np.random.default_rng(BOOTSTRAP_SEED))
        low, high = median_bounds(runs, metric, info)
        middle = {"median": median_value(runs, metric, info), "median_low": low, "median_high": high}
        middle["failed_or_missing"] = failed_or_missing(runs, metric, info)
        told = middle | vars(summary)
        row |= {f"{metric}_{part}": told[part] for part in SPREADS}
    return row
