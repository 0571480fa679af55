"""Wasserstein-1 distance between points on the line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric


@dataclass(frozen=True)
class WassersteinDistance(Metric):
    """Area between the two empirical distribution functions, which on the line is the cost of the best transport
    (Vallender 1974). Two samples of one distribution lie apart by the order of sigma / sqrt(n): compare only values of
    equal sample size."""

    cost: ClassVar[str] = "a sort of M + N points"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "wasserstein": MetricInfo(
            title="Wasserstein distance",
            what="Wasserstein-1 distance between generated and real training points; 0 is best; "
            "depends on the sample size",
            best="low",
            lower=0.0,
            upper=None,
            unit="units of the data",
            source="Vallender 1974",
        )
    }

    def unsupported(self, data: DataSpec) -> str | None:
        if data.shape != (1,):
            return "the Wasserstein distance is computed for points on the line only, examples of shape (1,)"
        return None

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return {"points": np.sort(real.examples[:, 0].astype(np.float64))}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        points = np.sort(generated.examples[:, 0].astype(np.float64))
        return {"wasserstein": _wasserstein(points, reference["points"])}


def _wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    """The distance of sorted points (n,) and (m,).

    SciPy computes it too, by a product whose sum depends on the processor; this one is rounded once.
    """
    every = np.sort(np.concatenate([one, other]))
    below = [np.searchsorted(points, every[:-1], side="right") / len(points) for points in (one, other)]
    return math.fsum(np.abs(below[0] - below[1]) * np.diff(every))
