"""The methods of a study: their runs' outcomes, their metrics, and the values that rank them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import FAILURES, HEALTHY, OUTCOMES, UNDETERMINED
from ganbench.analysis.noise import telling_metric
from ganbench.analysis.nulls import noise_is_told
from ganbench.analysis.statistics.medians import median, median_interval
from ganbench.analysis.statistics.rates import Rate, wilson
from ganbench.core.metric_info import MetricInfo, base_of

# Metrics whose values are names: the median of mode 0 and mode 4 is no mode that any run is on.
NOMINAL = ("dominant_mode",)


def methods(collected: Collected) -> list[str]:
    """List the methods in the order of the table of runs."""
    return list(dict.fromkeys(collected.runs["method"]))


def dataset_of(collected: Collected, method: str) -> str:
    """Find the data set of a method, which decides what can be measured."""
    return collected.runs.loc[collected.runs["method"] == method, "dataset"].iloc[0]


def failed(runs: pd.DataFrame) -> pd.Series:
    """Whether each run was seen to fail."""
    return runs["outcome"].isin(list(FAILURES))


def healthy(runs: pd.DataFrame) -> pd.Series:
    """Whether each run was seen to be of use at its end: it had learned by then, and had not failed."""
    return runs["outcome"].isin(HEALTHY)


def not_learned(runs: pd.DataFrame) -> pd.Series:
    """Whether each run neither failed nor had learned by its end; not of a run that has not ended yet."""
    return runs["outcome"].notna() & ~(failed(runs) | undetermined(runs) | healthy(runs))


def undetermined(runs: pd.DataFrame) -> pd.Series:
    """Whether it is unknown for each run if it failed, because a possible failure was not measured."""
    return runs["outcome"] == UNDETERMINED


def failure_rate(runs: pd.DataFrame) -> Rate:
    """Failure rate of the runs, with the number of runs for which it is unknown whether they failed."""
    return wilson(int(failed(runs).sum()), len(runs), unknown=int(undetermined(runs).sum()))


def healthy_rate(runs: pd.DataFrame) -> Rate:
    """Share of healthy runs, with the number of runs for which it is unknown whether they are."""
    return wilson(int(healthy(runs).sum()), len(runs), unknown=int(undetermined(runs).sum()))


def failure_times(runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """When each run failed, or its last step where it was not seen to fail, and whether it failed; shapes (runs,).

    A run fails with the first of its failures, be it the most severe one or not. A run that was not seen to fail is
    censored at its last step: it is not known when it would have failed.
    """
    found = failed(runs).to_numpy()
    steps, ended = (
        pd.to_numeric(runs[name]).to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("failure_onset", "steps_done")
    )
    return np.where(found & np.isfinite(steps), steps, ended), found


def outcome_indicator(runs: pd.DataFrame, outcome: str) -> pd.Series:
    """Whether an outcome holds for each run, be it the primary one or not: 1 or 0, NaN where it was not judged."""
    if outcome == UNDETERMINED:
        return undetermined(runs).astype("float64")
    holds = (runs["outcome"] == outcome) | _lists(runs["outcomes"], outcome)
    return holds.astype("float64").where(holds | _lists(runs["outcomes_judged"], outcome))


def primary_indicator(runs: pd.DataFrame, outcome: str) -> pd.Series:
    """Whether an outcome is the primary one of each run: 1 or 0, NaN where it might be and was not judged.

    A more severe outcome found in a run rules out that this one is primary, and so does an early stop: nothing that
    further steps might have shown is an outcome of the run.
    """
    found = runs["outcome"] == outcome
    if outcome not in FAILURES:
        return found.astype("float64").where(found | ~undetermined(runs)) if outcome != UNDETERMINED else found * 1.0
    severer = runs["outcome"].isin(list(OUTCOMES)[: list(OUTCOMES).index(outcome)])
    stopped = runs["stopped_step"].notna()
    return found.astype("float64").where(found | severer | stopped | _lists(runs["outcomes_judged"], outcome))


def _lists(column: pd.Series, name: str) -> pd.Series:
    """Whether each text, names separated by commas, has a name, as booleans."""
    return column.fillna("").str.split(", ").map(lambda names: name in names).astype(bool)


def amounts(metrics: Mapping[str, MetricInfo]) -> dict[str, MetricInfo]:
    """The metrics whose values are amounts, of which medians and ranges can be taken, and not names."""
    return {name: info for name, info in metrics.items() if base_of(name) not in NOMINAL}


def measured_metrics(collected: Collected, method: str) -> list[str]:
    """List the metrics of amounts with a finite value on the method's data set, the most telling first.

    Values of other methods on the data set count too: a method whose runs all diverged before their first snapshot
    must still show that it lacks the values that other methods have.
    """
    dataset = dataset_of(collected, method)
    tables = [table[table["dataset"] == dataset] for table in (collected.snapshots, collected.runs)]
    return [
        name
        for name in amounts(collected.metrics)
        if any(
            np.isfinite(pd.to_numeric(table[column])).any()
            for table, column in zip(tables, (name, f"{name}_final"), strict=True)
        )
    ]


def primary_metric(collected: Collected, method: str) -> str | None:
    """Choose the primary metric of a method among those with values and a better end; None without any."""
    dataset, infos = dataset_of(collected, method), collected.metrics
    names = [name for name in measured_metrics(collected, method) if infos[name].best != "none"]
    return telling_metric({name: noise_is_told(collected, dataset, name) for name in names})


def as_loss(values: np.ndarray, info: MetricInfo) -> np.ndarray:
    """Change the sign of a metric where higher is better, so that smaller is better; a missing value becomes infinity.

    If runs without a value were left out instead, a setting could win because its bad runs have no value.
    """
    signed = np.asarray(values, dtype=np.float64) * _sign(info)
    return np.where(np.isfinite(signed), signed, np.inf)


def final_values(runs: pd.DataFrame, metric: str) -> np.ndarray:
    """A metric at the end of each run, shape (runs,); NaN for runs that diverged or were stopped early, whatever they
    scored before.

    The last snapshot of such a run may be good, but it is not the result of training.
    """
    values = runs[f"{metric}_final"].to_numpy(dtype=np.float64)
    return np.where((runs["outcome"] == "diverged").to_numpy() | ~np.isfinite(values), np.nan, values)


def median_value(runs: pd.DataFrame, metric: str, info: MetricInfo) -> float:
    """Median of a metric over the runs of a setting: the number by which settings are ranked.

    Runs that failed or have no value count as worse than all others, see `final_losses`. The median is NaN where half
    of the runs or more are such runs. Where neither end of a metric is better, runs cannot be ordered by it, and those
    that diverged, were stopped early or have no value are left out.
    """
    return median(_ranked_losses(runs, metric, info)) * _sign(info)


def median_bounds(runs: pd.DataFrame, metric: str, info: MetricInfo) -> tuple[float, float]:
    """The interval of `median_value`: NaN where there are too few runs, infinite where bad runs reach into it."""
    bounds = [bound * _sign(info) for bound in median_interval(_ranked_losses(runs, metric, info))]
    return (bounds[1], bounds[0]) if info.best == "high" else (bounds[0], bounds[1])


def final_losses(runs: pd.DataFrame, metric: str, info: MetricInfo) -> np.ndarray:
    """A metric at the end of each run as a loss, infinite for every failed run and every run without a value.

    Where settings or methods are compared, a failure of any kind is worse than any score: a collapsed generator may
    have a better score than a blurred one. A run of which it is not known whether it failed counts by its score. Shape
    (runs,).
    """
    return np.where(failed(runs).to_numpy(), np.inf, as_loss(final_values(runs, metric), info))


def failed_or_missing(runs: pd.DataFrame, metric: str, info: MetricInfo) -> int:
    """The number of runs that `median_value` counts as worse than all others, or leaves out."""
    bad = ~np.isfinite(final_values(runs, metric))
    return int((bad if info.best == "none" else bad | failed(runs).to_numpy()).sum())


def _ranked_losses(runs: pd.DataFrame, metric: str, info: MetricInfo) -> np.ndarray:
    if info.best != "none":
        return final_losses(runs, metric, info)
    values = final_values(runs, metric)
    return values[np.isfinite(values)]


def _sign(info: MetricInfo) -> float:
    return -1.0 if info.best == "high" else 1.0
