"""Wasserstein-1 distance between points on the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import wasserstein_distance

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

    columns: ClassVar[dict[str, MetricInfo]] = {
        "wasserstein": MetricInfo(
            title="Wasserstein distance",
            what="Wasserstein-1 distance between generated and real training points, in the units of the data; 0 is "
            "best; depends on the sample size",
            best="low",
            lower=0.0,
            upper=None,
        )
    }

    def supports(self, data: DataSpec) -> str | None:
        if data.shape != (1,):
            return "the Wasserstein distance is computed for points on the line only, examples of shape (1,)"
        return None

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return {"points": real.examples[:, 0].astype(np.float64)}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        return {
            "wasserstein": float(wasserstein_distance(generated.examples[:, 0].astype(np.float64), reference["points"]))
        }
