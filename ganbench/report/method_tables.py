"""The two tables of every method in the report: how its runs ended, and what its generators score."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import OUTCOMES
from ganbench.analysis.failures import not_judged
from ganbench.analysis.median_words import median_words
from ganbench.analysis.methods import measured_metrics
from ganbench.analysis.nulls import noise_of, null_of, untrained_of
from ganbench.analysis.outcome import ESSENTIAL
from ganbench.analysis.settings import AXIS_WORDS, ranked, runs_at, varying
from ganbench.core.formatting import FEW, format_median, format_number, format_percent, format_range, join_words
from ganbench.core.metric_info import MetricInfo


def method_tables(collected: Collected, table: pd.DataFrame, name: str) -> dict[str, object]:
    """The texts of both tables of a method.

    Args:
        collected: the study's results.
        table: its table of settings.
        name: the method.

    Returns:
        The axes that tell the settings apart, a row of outcomes and one of scores per setting, the metrics with their
        better ends, a sentence on those that are left out, and what real data, noise and the method's untrained
        generators score.
    """
    rows = table[table["method"] == name]
    measured, outcomes = measured_metrics(collected, name), occurring(collected.runs)
    alike = {metric: _only_value(collected, rows["dataset"].iloc[0], metric) for metric in measured}
    metrics = [metric for metric in measured if np.isnan(alike[metric])] or measured
    gone = [metric for metric in measured if metric not in metrics]
    left_out = [f"{collected.metrics[metric].title} ({format_number(alike[metric])})" for metric in gone]
    return {
        "axes": [AXIS_WORDS[axis] for axis in _varying(rows)],
        "outcomes": [_outcome_row(row, rows, outcomes) for _, row in rows.iterrows()],
        "metrics": [(collected.metrics[metric].title, hint(collected.metrics[metric])) for metric in metrics],
        "left_out": join_words(left_out),
        "scores": value_rows(rows, metrics, collected),
        "nulls": _null_cells(rows, metrics, collected),
        "noise": _noise_cells(rows, metrics, collected),
        "untrained": _untrained_cells(collected, name, metrics),
    }


def _only_value(collected: Collected, dataset: str, metric: str) -> float:
    """The value that real data, noise and every snapshot of every run of a data set have in a metric, which tells
    nothing apart then; NaN where it is not one value, or one of these was not measured."""
    null, noise = null_of(collected, dataset, metric), noise_of(collected, dataset, metric)
    of_runs = [table.loc[table["dataset"] == dataset] for table in (collected.snapshots, collected.runs)]
    values = [pd.to_numeric(table[column]) for table, column in zip(of_runs, (metric, f"{metric}_final"), strict=True)]
    if null is None or np.isnan(noise):
        return np.nan
    known = np.unique(np.concatenate([[null.low, null.high, noise], *(each.dropna().astype(float) for each in values)]))
    return float(known[0]) if len(known) == 1 else np.nan


def occurring(runs: pd.DataFrame) -> list[str]:
    """The outcomes that hold for some run, primary or not, and those that a success needs ruled out but that were not
    judged, the most severe first."""
    found = {failure for failure, _, _ in not_judged(runs) if failure in ESSENTIAL}
    found |= {name for names in runs["outcomes"].fillna("") for name in names.split(", ")} | set(runs["outcome"])
    return [name for name in OUTCOMES if name in found]


def _outcome_row(row: pd.Series, rows: pd.DataFrame, shown: list[str]) -> dict[str, object]:
    counts = [None if pd.isna(row[f"outcome_{name}"]) else int(row[f"outcome_{name}"]) for name in shown]
    bounds = f"{format_percent(row['failure_low'])} to {format_percent(row['failure_high'])}"
    return {
        "setting": _setting(row, rows),
        "runs": int(row["runs"]),
        "counts": counts,
        "unknown": None in counts,
        "rate": format_percent(row["failure_rate"]),
        "bounds": bounds,
    }


def _null_cells(rows: pd.DataFrame, metrics: list[str], collected: Collected) -> list[dict[str, str]]:
    """What real data score in each metric, and in which interval; empty if that is known of none."""
    found = [null_of(collected, rows["dataset"].iloc[0], metric) for metric in metrics]
    cells = [
        {"mean": "–", "range": ""}
        if null is None
        else {
            "mean": format_number(null.mean),
            "range": format_range(null.low, null.high) if null.low < null.high else "",
        }
        for null in found
    ]
    return cells if any(found) else []


def _noise_cells(rows: pd.DataFrame, metrics: list[str], collected: Collected) -> list[str]:
    """What noise scores in each metric; empty if that is known of none."""
    values = [noise_of(collected, rows["dataset"].iloc[0], metric) for metric in metrics]
    return [] if np.isnan(values).all() else ["–" if np.isnan(value) else format_number(value) for value in values]


def _untrained_cells(collected: Collected, name: str, metrics: list[str]) -> list[str]:
    """The median over a method's runs of what their untrained generators score; empty if that is known of none."""
    runs = collected.runs[collected.runs["method"] == name]
    values = [untrained_of(collected, runs, metric) for metric in metrics]
    return [format_median(each.median(), list(each)) for each in values] if any(map(len, values)) else []


def value_rows(rows: pd.DataFrame, metrics: list[str], collected: Collected) -> list[dict[str, object]]:
    """Cells of the metrics table: median, range over seeds, number of runs with a value; the best medians are marked,
    where there are several, and those within the metric's null."""
    infos = collected.metrics
    nulls = {metric: null_of(collected, rows["dataset"].iloc[0], metric) for metric in metrics}
    best: dict[str, set] = {}
    for metric in metrics:
        losses = ranked(rows, metric, infos[metric])
        differ = infos[metric].best != "none" and losses.min() < losses.max()
        best[metric] = set(losses.index[losses == losses.min()]) if differ else set()
    written = []
    for index, row in rows.iterrows():
        runs = runs_at(collected.runs, row)
        cells = [
            {
                "median": median_words(runs, metric, infos[metric]),
                "range": _range(row, metric),
                "missing": ""
                if row[f"{metric}_values"] == row["runs"]
                else f"{int(row[f'{metric}_values'])} of {int(row['runs'])} runs",
                "best": index in best[metric],
                "alike": nulls[metric] is not None
                and infos[metric].best != "none"
                and nulls[metric].contains(row[f"{metric}_median"]),
            }
            for metric in metrics
        ]
        written.append({"setting": _setting(row, rows), "cells": cells})
    return written


def _range(row: pd.Series, metric: str) -> str:
    """The smallest and the largest value of a setting; empty where they are in place of the median."""
    values, counted = row[f"{metric}_values"], row["runs"] - row[f"{metric}_failed_or_missing"]
    if not values or (counted == values < FEW and not np.isnan(row[f"{metric}_median"])):
        return ""
    return format_range(row[f"{metric}_min"], row[f"{metric}_max"])


def _varying(rows: pd.DataFrame) -> list[str]:
    """The axes that tell a method's settings apart; the learning rate where there is one setting."""
    return varying(rows) or ["learning_rate"]


def _setting(row: pd.Series, rows: pd.DataFrame) -> list[str]:
    return [format_number(row[axis]) for axis in _varying(rows)]


def hint(info: MetricInfo) -> str:
    """Which values of a metric are better, in words; empty where neither end is."""
    return {"low": "lower is better", "high": "higher is better", "none": ""}[info.best]
