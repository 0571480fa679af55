"""Metrics, one file each: numbers that compare generated with real examples.

A member defines a frozen dataclass `Metric` with

- `columns`: {column name: MetricInfo}, the numbers it gives and what they mean; no other metric and no table has a
  column of these names;
- `supports(data: DataSpec) -> str | None`: None, or why it says nothing of such examples (it is left out there);
- `reference(real: Look) -> Any`: what it needs of the real examples, computed once;
- `score(generated: Look, reference) -> {column name: float}`: all of its columns and no others, each a finite number
  within its bounds, whatever finite examples it is given; where there is none, a value that says so (-1 for no mode).

All give the same at every call, and change nothing that they are given: other metrics look at it after them.

Every metric is also computed between held-out and training examples: that is what a perfect generator would score.
"""
