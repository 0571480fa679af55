"""Metrics, one file each: numbers that compare generated with real examples.

A member defines a frozen dataclass `Metric` with

- `columns`: {column name: MetricInfo}, the numbers it gives and what they mean;
- `supports(data: DataSpec) -> str | None`: None, or why it says nothing of such examples (it is left out there);
- `reference(real: Look) -> Any`: what it needs of the real examples, computed once;
- `score(generated: Look, reference) -> {column name: float}`.

Every metric is also computed between held-out and training examples: that is what a perfect generator would score.
"""
