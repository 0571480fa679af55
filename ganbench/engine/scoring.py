"""Scores of examples: metrics of judged examples against references, which are made of real ones."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ganbench.core.errors import GanbenchError
from ganbench.core.evenly_spaced import evenly_spaced
from ganbench.core.metric_info import values_fault
from ganbench.core.tree import Tree
from ganbench.data import DataSpec, Examples
from ganbench.judges import JudgedExamples, judge_stored

MAX_REFERENCE = 50_000  # real examples of a reference, as of an FID


@dataclass(frozen=True)
class Scorer:
    """A trained judge, and metrics with their references for the real training examples.

    Attributes:
        judge: the judge.
        state: the judge's state.
        metrics: (metric, its reference) of each metric that supports the data.
    """

    judge: Any
    state: Tree
    metrics: tuple[tuple[Any, Tree], ...]

    @classmethod
    def of(cls, judge: Any, state: Tree, metrics: Sequence[Any], data: DataSpec, examples: Examples) -> Scorer:
        """A scorer with the metrics that support the data.

        Args:
            judge, state: the judge and its state.
            metrics: the metrics.
            data: the data set.
            examples: the real examples of the data set, as they are stored.
        """
        real = judged_real(judge, state, examples)
        return cls(judge, state, tuple((each, each.reference(*real)) for each in supported(metrics, judge, data)))

    def judged(self, examples: np.ndarray) -> JudgedExamples | None:
        """Generated or held-out examples as the judge sees them.

        Args:
            examples: the examples as they are stored, (n, *shape).

        Returns:
            The judged examples; None if one is not finite, or so large that the judge's features overflow.
        """
        judged = judge_stored(self.judge, self.state, examples) if np.isfinite(examples).all() else None
        return None if judged is None or not np.isfinite(judged.features).all() else judged

    def score(self, examples: np.ndarray) -> dict[str, float]:
        """The metrics of generated or held-out examples; see `scores`.

        Args:
            examples: the examples as they are stored, (n, *shape).
        """
        return self.scores(self.judged(examples))

    def scores(self, judged: JudgedExamples | None) -> dict[str, float]:
        """The metrics of judged examples.

        Args:
            judged: the result of `judged`.

        Returns:
            A value for each column; all NaN of examples that cannot be judged, and NaN of a metric that takes more
            examples.

        Raises:
            GanbenchError: a metric's values are not those of its columns, or it changes its arguments.
        """
        if judged is None:
            return {column: float("nan") for metric, _ in self.metrics for column in metric.columns}
        scores, content = {}, _checksum(judged)
        for metric, known in self.metrics:
            scores |= score_of(metric, judged, known)
            if _checksum(judged) != content:
                raise GanbenchError(
                    f"metric {inspect.getfile(type(metric))}: its score() changes the judged examples, which other "
                    "metrics use too; work on copies."
                )
        return scores


def score_of(metric: Any, judged: JudgedExamples, reference: Tree) -> dict[str, float]:
    """The values of a metric's columns for judged examples; NaN of fewer examples than it takes.

    Raises:
        GanbenchError: the metric's values are not those of its columns.
    """
    if len(judged) < metric.fewest:
        return dict.fromkeys(metric.columns, float("nan"))
    given = metric.score(judged, reference)
    if fault := values_fault(metric.columns, given):
        raise GanbenchError(f"metric {inspect.getfile(type(metric))}: its score() {fault}.")
    return {name: float(value) for name, value in given.items()}


def supported(metrics: Sequence[Any], judge: Any, data: DataSpec) -> list[Any]:
    """The metrics that are defined for a data set as its judge knows it."""
    seen = data_seen_by(judge, data)
    return [metric for metric in metrics if metric.unsupported(seen) is None]


def judged_real(judge: Any, state: Tree, examples: Examples) -> tuple[JudgedExamples, JudgedExamples]:
    """The judged training and held-out examples that references are made of, see `reference_examples`."""
    train, heldout = (
        judge_stored(judge, state, reference_examples(part)) for part in (examples.train, examples.heldout)
    )
    return train, heldout


def reference_examples(real: np.ndarray) -> np.ndarray:
    """The real examples that generated ones are compared with: all, or of more `MAX_REFERENCE`, evenly spaced."""
    return real if len(real) <= MAX_REFERENCE else real[evenly_spaced(len(real), MAX_REFERENCE)]


def data_seen_by(judge: Any, data: DataSpec) -> DataSpec:
    """A data set as a judge knows it: without modes if it tells none apart."""
    return data if judge.tells_modes else replace(data, modes=0)


def _checksum(judged: JudgedExamples) -> list[int]:
    arrays = (judged.stored, judged.features, judged.mode, judged.confident)
    return [zlib.crc32(np.ascontiguousarray(array)) for array in arrays if array is not None]
