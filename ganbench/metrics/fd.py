"""Fréchet distance in the features of the data set's own judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._frechet import frechet_distance, frechet_reference, rank_caution


@dataclass(frozen=True)
class FD(Metric):
    """Like the FID, but in a domain in which Inception features mean little; never to be compared with an FID. Its bias
    is of the order of 1/n: compare only values of equal sample size, or take `fd_infinity`."""

    cost: ClassVar[str] = "M F^2 + F^3, or M^2 F + M^3 of fewer examples than features; the reference N F^2 + F^3"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "fd": MetricInfo(
            title="Fréchet distance",
            what="Fréchet distance between generated and real training examples in the features of the data set's "
            "judge; 0 is best, and in features of images both blur and missing modes raise it; of points in a plane "
            "it compares no more than means and covariances, which noise shares",
            best="low",
            lower=0.0,
            upper=None,
            unit="squared units of the features",
            source="Dowson and Landau 1982; Heusel et al. 2017",
        )
    }

    def caution(self, samples: int, real: int, features: int) -> str | None:
        return rank_caution(samples, real, features, "the distance")

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return frechet_reference(real.features)

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        return {"fd": frechet_distance(generated.features, reference)}
