"""Diversity: how much generated examples vary, as a share of how much real ones do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric


@dataclass(frozen=True)
class Diversity(Metric):
    """tr(C_generated) / tr(C_real), of the covariances of the judge's features.

    It needs no labels: a generator that draws one and the same example from every latent point has 0, whatever that
    example is. That is the complete collapse of Goodfellow et al. (2014), there "the Helvetica scenario", which a
    histogram over modes does not tell from noise that a classifier puts into one class. Untrained generators have
    little of it as well, since their outputs hardly depend on the latent point.
    """

    cost: ClassVar[str] = "M F; the reference N F"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "diversity": MetricInfo(
            title="Diversity",
            what="total variance of the generated examples in the features of the data set's judge, in that of the "
            "real ones; 1 is as varied as real data, and 0 is one and the same example",
            best="none",  # noise may have more of it than real data
            lower=0.0,
            upper=None,
            source="Goodfellow et al. 2014",
        )
    }

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        """`variance`, the total variance of the real examples."""
        return {"variance": _total_variance(real.features)}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        found, real = _total_variance(generated.features), float(reference["variance"])
        if real == 0:  # identical real examples: as varied as they are, or infinitely more
            return {"diversity": 1.0 if found == 0 else np.inf}
        return {"diversity": found / real}


def _total_variance(features: np.ndarray) -> float:
    """The trace of the covariance of features (n, F), with n - 1.

    Centred at the first example before the mean is taken: the variance of identical ones is 0, and not rounding. Where
    differences or their squares are beyond floating point, it is infinite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centred = features - features[:1]
        centred -= centred.mean(axis=0)
        np.square(centred, out=centred)
        total = float(centred.sum(axis=0).sum() / (len(features) - 1))
    return total if np.isfinite(total) else np.inf
