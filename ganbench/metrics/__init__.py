"""Metrics, one file each: numbers that compare generated with real examples.

Every metric is also computed between held-out and training examples: that is what a perfect generator would score.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples


class Metric(ABC):
    """A comparison of judged examples. Its methods give the same at every call and change nothing that they are given:
    other metrics look at it after them. A member is a frozen dataclass whose fields are its options."""

    columns: ClassVar[dict[str, MetricInfo]]  # the numbers it gives, by names that no other metric and no table has

    def supports(self, data: DataSpec) -> str | None:
        """None, or why the metric says nothing of such examples; it is left out there."""
        return None

    @abstractmethod
    def reference(self, real: JudgedExamples) -> Any:
        """What the metric needs of the real examples, computed once."""

    @abstractmethod
    def score(self, generated: JudgedExamples, reference: Any) -> dict[str, float]:
        """All of its columns and no others, each a finite number within its bounds, whatever finite examples it is
        given; where there is none, a value that says so (-1 for no mode).

        Args:
            generated: examples of a generator, judged.
            reference: what `reference` gave of the real ones.
        """
