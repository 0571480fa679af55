"""What a metric's number means; it drives the tables, the plots and the words of the report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricInfo:
    """One column that a metric fills."""

    title: str  # as an axis label: "Fréchet classifier distance"
    what: str  # one sentence: what is measured and how to read it
    best: str  # "low", "high" or "none"
    lower: float | None  # smallest possible value, where there is one
    upper: float | None  # largest possible value, where there is one
