"""Contracts of metrics and diagnostics: repeatable numbers, one for each declared column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ganbench.contracts import supports_fault
from ganbench.contracts.repeatability import call_twice, fingerprint
from ganbench.core.metric_info import columns_fault, values_fault
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples

Columns = Callable[[], Any]


def metric_fault(metric: Any, data: DataSpec, real: JudgedExamples, generated: JudgedExamples) -> str | None:
    """The fault of a metric, as a clause; None if it returns valid values for its columns.

    Args:
        metric: the metric.
        data: the spec of the data set.
        real, generated: judged examples; both are real examples, so that every value is defined.
    """
    refusal = metric.supports(data)
    if fault := supports_fault(refusal) or columns_fault(metric.columns):
        return fault
    if refusal is not None:
        return None
    given = fingerprint([real, generated])
    reference, fault = call_twice(lambda: metric.reference(real))
    if fault and not fault.startswith("gives"):  # equal references may be objects that cannot be compared
        return f"its reference() {fault}"
    scores, fault = call_twice(lambda: metric.score(generated, reference))
    if wrong := values_fault(metric.columns, scores):
        return f"its score() {wrong}"
    if fault:
        return f"its score() {fault}"
    if fingerprint([real, generated]) != given:
        return "it changes the judged examples, which other metrics use too"
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
