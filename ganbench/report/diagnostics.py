"""The section on diagnostics: a compact table per experiment, with the meaning of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SETTING
from ganbench.analysis.settings import varying
from ganbench.core import registry
from ganbench.core.formatting import format_median, format_number, format_range, plural
from ganbench.core.metric_info import MetricInfo
from ganbench.report.diagnostic_results import values_by_run
from ganbench.report.display_names import method_names
from ganbench.report.tables import describe
from ganbench.study.selectors import Selector

ROWS = 40
DIGITS = 5  # of numbers near 1 that are told apart by what follows it


def experiments(collected: Collected, study: dict) -> list[dict]:
    """The report of every experiment of a resolved configuration, in its order, without the figures."""
    given = {each["name"]: each for each in study.get("diagnose") or ()}
    return [_experiment(collected, name, each) for name, each in given.items()]


def _experiment(collected: Collected, name: str, given: dict) -> dict:
    options = dict(given["diagnostic"])
    kind = options.pop("name")
    table = values_by_run(collected, name)
    infos = {column: collected.quantities[f"{name}.{column}"] for column in table if table[column].notna().any()}
    ours = [run for run in table.index if run]
    return {
        "name": name,
        "diagnostic": kind,
        "summary": _summary(kind),
        "options": ", ".join(f"{key.replace('_', ' ')} {_option(value)}" for key, value in options.items()),
        "where": _selected(given.get("where")),
        "meanings": [(info.title, describe(info)) for info in infos.values()],
        "alone": [
            (info.title, format_number(table.loc["", column], DIGITS), info.what) for column, info in infos.items()
        ]
        if "" in table.index
        else [],
        **_rows(collected.runs[collected.runs["run"].isin(ours)], table, infos),
    }


def _summary(kind: str) -> str:
    """First line of a diagnostic's docstring; the name of a file of the user's own that no longer exists."""
    name = kind if not kind.endswith(".py") or Path(kind).is_file() else None
    return registry.find("diagnostic", name).summary if name else kind


def _option(value: object) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return str(value) or "unset"
    if isinstance(value, Sequence):
        return f"({', '.join(map(_option, value))})" if value else "none"
    return format_number(value) if isinstance(value, int | float) else str(value)


def _selected(of: object) -> str:
    if not of:
        return "all runs that the diagnostic supports"
    if of == "study":
        return str(Selector(study=True))
    return "runs of " + "; ".join(f"{axis} {' or '.join(map(_option, values))}" for axis, values in of.items())


def _rows(runs: pd.DataFrame, table: pd.DataFrame, infos: dict[str, MetricInfo]) -> dict:
    """Cells of median and range, one row per method and setting; per method, where there are too many settings."""
    if runs.empty or not infos:
        return {"heads": [], "titles": [], "rows": [], "left": "", "by": ""}
    words = method_names(runs)
    groups = list(runs.groupby(["method", *SETTING], sort=False, dropna=False))
    by_setting = len(groups) <= ROWS
    if not by_setting:
        groups = list(runs.groupby("method", sort=False))
    several = varying(runs) if by_setting else []
    kept = groups
    if len(groups) > ROWS:
        kept = [groups[index] for index in np.unique(np.linspace(0, len(groups) - 1, ROWS).round().astype(int))]
    rows = []
    for _, mine in kept:
        first = mine.iloc[0]
        name = [words[first["method"]], *(format_number(first[axis]) for axis in several)]
        rows.append({"name": name, "runs": len(mine), "cells": _cells(table.loc[mine["run"]], infos)})
    what = plural(len(groups), "setting" if by_setting else "method")
    return {
        "heads": ["what", *(axis.replace("_", " ") for axis in several)],
        "rows": rows,
        "left": f"{len(kept)} of {what}, evenly spaced; tables/measurements.csv has all numbers."
        if len(kept) < len(groups)
        else "",
        "by": "setting" if by_setting else "method, over all its learning rates and seeds",
        "titles": [info.title for info in infos.values()],
    }


def _cells(values: pd.DataFrame, infos: dict[str, MetricInfo]) -> list[dict[str, str]]:
    cells = []
    for column in infos:
        known = values[column].dropna().to_numpy(dtype=np.float64)
        if not len(known):
            cells.append({"median": "–", "range": "", "missing": ""})
            continue
        with np.errstate(invalid="ignore"):  # half of the values may be -inf and half inf; NaN is shown as "–" then
            median = np.median(known)
        text = format_median(median, known, partial(format_number, digits=DIGITS))
        span = format_range(known.min(), known.max(), DIGITS)
        cells.append(
            {
                "median": text,
                "range": span if " to " in span and text == format_number(median, DIGITS) else "",
                "missing": f"{len(known)} of {len(values)} runs" if len(known) < len(values) else "",
            }
        )
    return cells
