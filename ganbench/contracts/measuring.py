"""Metrics and instruments: the numbers that they say, of what they are given, and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ganbench.contracts import supports_fault
from ganbench.contracts.repeating import known, repeated
from ganbench.core.metric_info import columns_fault, values_fault
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples

Columns = Callable[[], Any]


def metric_fault(metric: Any, data: DataSpec, real: JudgedExamples, generated: JudgedExamples) -> str | None:
    """Why a metric does not give its columns of real and generated examples.

    Args:
        metric: the metric.
        data: what the examples are.
        real, generated: what a judge saw in them; real examples both, so that every number there is exists.
    """
    answer = metric.supports(data)
    if fault := supports_fault(answer) or columns_fault(metric.columns):
        return fault
    if answer is not None:
        return None
    given = known([real, generated])
    reference, fault = repeated(lambda: metric.reference(real))
    if fault and not fault.startswith("gives"):  # two references may be objects that cannot be compared
        return f"its reference() {fault}"
    scores, fault = repeated(lambda: metric.score(generated, reference))
    if wrong := values_fault(metric.columns, scores):
        return f"its score() {wrong}"
    if fault:
        return f"its score() {fault}"
    if known([real, generated]) != given:
        return "it changes what the judge saw, which other metrics look at after it"
    return None


def reading_fault(columns: Any, reading: Any, runs: int | None) -> str | None:
    """Why an instrument does not show its columns.

    Args:
        columns: what it says that it shows.
        reading: what it shows.
        runs: of how many runs; None of the study.
    """
    if fault := columns_fault(columns):
        return fault
    values, arrays = getattr(reading, "values", None), getattr(reading, "arrays", None)
    if not isinstance(values, Mapping) or not isinstance(arrays, Mapping):
        return f"its measure() gives {type(reading).__name__}; must be a Reading"
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
