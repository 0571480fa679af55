"""Metrics, one file each: numbers that compare generated with real examples.

Every metric is also computed between held-out and training examples: the score of a perfect generator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples


class Metric(ABC):
    """A metric has `columns`, {name: MetricInfo}, and score(), which returns a finite real number within its bounds for
    each of them, the same at every call, and changes none of its arguments.

    Other metrics read the same arguments. A subclass is a frozen dataclass whose fields are its options.

    Attributes:
        columns: the numbers that `score` returns, by names that no other metric and no table has.
    """

    columns: ClassVar[dict[str, MetricInfo]]

    def supports(self, data: DataSpec) -> str | None:
        """Whether the metric is defined for a data set; where it is not, it is left out.

        Args:
            data: the data set as its judge knows it: with 0 modes if it has no labels or the judge tells none apart.

        Returns:
            None if it is; otherwise a sentence that names the data sets it is defined for.
        """
        return None

    @abstractmethod
    def reference(self, real: JudgedExamples) -> Any:
        """The statistics of the real examples that the metric needs, computed once for a data set.

        Args:
            real: the judged real examples.

        Returns:
            Any object; it is passed to `score`.
        """

    @abstractmethod
    def score(self, generated: JudgedExamples, reference: Any) -> dict[str, float]:
        """The metric of generated examples.

        Args:
            generated: the judged examples of a generator, all finite.
            reference: the result of `reference` for the real examples.

        Returns:
            A value for each of `columns`, finite and within its bounds. A quantity that does not exist has a value of
            its own, such as -1 for no dominant mode.
        """
