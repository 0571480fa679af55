"""The estimator of the kernel Inception distance in the features of the data set's own judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._mmd import Sums, sums, unbiased_mmd2


@dataclass(frozen=True)
class KID(Metric):
    """Binkowski et al. 2018, over all pairs of the samples instead of a mean over random subsets: the same expectation
    with less noise. Never to be compared with a KID in Inception features.

    Unlike a Fréchet distance it has no bias, so values of different sample sizes compare. Two limits in few dimensions:
    its kernel sees moments up to the third, and those alone, so a round blob passes for a ring of modes; and where
    generated points lie sqrt(n) or more times as far out as real ones, its noise outgrows its mean and its sign says
    nothing.
    """

    columns: ClassVar[dict[str, MetricInfo]] = {
        "kid": MetricInfo(
            title="KID in judge features",
            what="unbiased squared maximum mean discrepancy, with a cubic kernel, between generated and real training "
            "examples in the features of the data set's judge (the points themselves for points); its mean is 0 "
            "for a perfect generator, so it can be slightly negative; it compares moments up to the third",
            best="low",
            lower=None,
            upper=None,
        )
    }

    def supports(self, data: DataSpec) -> str | None:
        return None

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return vars(sums(real.features))

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        return {"kid": unbiased_mmd2(sums(generated.features), Sums(**reference))}
