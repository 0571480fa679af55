"""Fréchet distance in the features of the data set's own judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._frechet import Moments, frechet_distance, moments


@dataclass(frozen=True)
class FCD(Metric):
    """Like the FID, but in a domain in which Inception features mean little; never to be compared with an FID. Its bias
    is of the order of 1/n: compare only values of equal sample size (Chong and Forsyth 2020)."""

    columns: ClassVar[dict[str, MetricInfo]] = {
        "fcd": MetricInfo(
            title="Fréchet classifier distance",
            what="Fréchet distance between generated and real training examples in the features of the data set's "
            "judge (the points themselves for planar data); 0 is best, and both blur and missing modes raise it",
            best="low",
            lower=0.0,
            upper=None,
        )
    }

    def supports(self, data: DataSpec) -> str | None:
        return None

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return moments(real.features).tree()

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        return {"fcd": frechet_distance(moments(generated.features), Moments.of(reference))}
