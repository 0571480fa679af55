"""Contracts of metrics and diagnostics: repeatable numbers, one for each declared column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ganbench.contracts import supports_fault
from ganbench.contracts.repeatability import call_twice, fingerprint
from ganbench.core.escaping import short_repr
from ganbench.core.metric_info import columns_fault, values_fault
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples

Columns = Callable[[], Any]

MIN_DRAWS = 2  # of a null, for a spread


def metric_fault(metric: Any, data: DataSpec, real: JudgedExamples, generated: JudgedExamples) -> str | None:
    """The fault of a metric, as a clause; None if it returns valid values for its columns.

    Args:
        metric: the metric.
        data: the spec of the data set.
        real, generated: judged examples; both are real examples, so that every value is defined. The real ones serve as
            held-out examples too.
    """
    refusal = metric.unsupported(data)
    if fault := supports_fault(refusal) or columns_fault(metric.columns) or _draws_fault(metric.draws):
        return fault
    if refusal is not None:
        return None
    given = fingerprint([real, generated])
    reference, fault = call_twice(lambda: metric.reference(real, real))
    if fault := _tree_fault(reference) or fault:
        return f"its reference() {fault}"
    known = fingerprint(reference)
    scores, fault = call_twice(lambda: metric.score(generated, reference))
    if wrong := values_fault(metric.columns, scores):
        return f"its score() {wrong}"
    if fault:
        return f"its score() {fault}"
    if fingerprint([real, generated]) != given:
        return "it changes the judged examples, which other metrics use too"
    if fingerprint(reference) != known:
        return "its score() changes the reference, which all runs share"
    return None


def _draws_fault(draws: Any) -> str | None:
    """The fault of the number of draws of a null, as a clause; None if draws have a spread."""
    if isinstance(draws, int) and not isinstance(draws, bool) and draws >= MIN_DRAWS:
        return None
    return f"its draws is {short_repr(draws)}; must be a whole number of {MIN_DRAWS} or more"


def _tree_fault(tree: Any, where: str = "") -> str | None:
    """The fault of a reference that a file cannot hold, as a clause; None for arrays and numbers, in dicts."""
    numeric = isinstance(tree, bool | int | float)
    if where and (numeric or (isinstance(tree, np.ndarray) and tree.dtype.kind in "biufc")):
        return None
    if not isinstance(tree, dict):
        at = f" at {where}" if where else ""
        kind = f"an array of {tree.dtype}" if isinstance(tree, np.ndarray) else type(tree).__name__
        return f"gives {kind}{at}; must be NumPy arrays and numbers, in dicts with text as keys"
    if odd := [key for key in tree if not isinstance(key, str) or not key or "/" in key]:
        return f"has the key {short_repr(odd[0])}; a key must be text without '/'"
    return next(filter(None, (_tree_fault(each, f"{where}/{key}") for key, each in tree.items())), None)


def diagnosis_fault(diagnostic: Any, game: Any, result: Any, runs: int | None) -> str | None:
    """The fault of a diagnostic or of what it compares, as a clause; None if both return valid values.

    Args:
        diagnostic: the diagnostic.
        game: the game of the runs; None for a diagnostic of the study.
        result: the value that its `measure` returned.
        runs: number of measured runs; None for a diagnostic of the study.
    """
    columns = diagnostic.columns(game)
    if (fault := diagnostic_fault(columns, result, runs)) or not runs or not (compared := diagnostic.compared(game)):
        return fault
    if fault := columns_fault(compared):
        return f"its compared(): {fault}"
    if taken := [name for name in compared if name in columns]:
        return f"its compared() has the column {taken[0]!r}, which is one of columns() too"
    rows = [{name: np.asarray(values[row % runs]) for name, values in result.arrays.items()} for row in range(runs)]
    return comparison_fault(compared, diagnostic.compare([*rows, *rows][: max(runs, 2)]), max(runs, 2))


def comparison_fault(compared: Mapping[str, Any], values: Any, runs: int) -> str | None:
    """The fault of what a diagnostic's `compare` returned for so many runs, as a clause; None for valid values.

    Args:
        compared: the columns that it compares.
        values: what it returned.
        runs: number of the runs.
    """
    if not isinstance(values, Mapping):
        return f"its compare() gives {type(values).__name__}; must be {{column: numbers}}"
    for name, value in values.items():
        if np.shape(value) != (runs,):
            return f"its compare() gives shape {np.shape(value)} for {name!r}; must be {(runs,)}"
    for row in range(runs):
        if fault := values_fault(compared, {name: value[row].item() for name, value in values.items()}, absent=True):
            return f"its compare() {fault}"
    return None


def diagnostic_fault(columns: Any, result: Any, runs: int | None) -> str | None:
    """The fault of a diagnostic, as a clause; None if it returns valid values for its columns.

    Args:
        columns: the columns of the diagnostic.
        result: the value that its `measure` returned.
        runs: number of measured runs; None for a diagnostic of the study.
    """
    if fault := columns_fault(columns):
        return fault
    values, arrays = getattr(result, "values", None), getattr(result, "arrays", None)
    if not isinstance(values, Mapping) or not isinstance(arrays, Mapping):
        return f"its measure() gives {type(result).__name__}; must be a DiagnosticResult"
    shape = () if runs is None else (runs,)
    for name, value in values.items():
        if np.shape(value) != shape:
            return f"its measure() gives shape {np.shape(value)} for {name!r}; must be {shape}"
    for row in range(1 if runs is None else runs):
        one = {name: np.asarray(value).reshape(-1)[row].item() for name, value in values.items()}
        if fault := values_fault(columns, one, absent=True):
            return f"its measure() {fault}"
    for name, value in arrays.items():
        if runs is not None and len(value) != runs:
            return f"its measure() gives {len(value)} rows of array {name!r} for {runs} runs"
    return None
