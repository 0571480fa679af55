"""Kernel distance: the estimator of the kernel Inception distance, in features of the data set's own judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._mmd import Sums, sums, unbiased_mmd2


@dataclass(frozen=True)
class KD(Metric):
    """Binkowski et al. 2018, over all pairs of the samples instead of a mean over random subsets: the same expectation
    with less noise. The name is that of dgm-eval (Stein et al. 2023) for features other than Inception's: never to be
    compared with a KID.

    Unlike a Fréchet distance it has no bias, so values of different sample sizes compare. Two limits in few dimensions:
    its kernel sees moments up to the third, and those alone, so a round blob passes for a ring of modes; and where
    generated points lie sqrt(n) or more times as far out as real ones, its noise outgrows its mean and its sign says
    nothing.
    """

    cost: ClassVar[str] = (
        "M F^3 / 2, in blocks; the reference N F^3 / 6; of more than 128 features M (M + N) F, the reference N^2 F / 2"
    )
    columns: ClassVar[dict[str, MetricInfo]] = {
        "kd": MetricInfo(
            title="Kernel distance",
            what="unbiased squared maximum mean discrepancy, with a cubic kernel, between generated and real training "
            "examples in the features of the data set's judge (the points themselves for points); its mean is 0 "
            "for a perfect generator, so it can be slightly negative; it compares moments up to the third",
            best="low",
            lower=None,
            upper=None,
            source="Binkowski et al. 2018; Gretton et al. 2012",
        ),
        "kd_error": MetricInfo(
            title="Error of the kernel distance",
            what="jackknife standard error of the kernel distance over samples of a generator; the finite number of "
            "real examples adds to it",
            best="none",
            lower=0.0,
            upper=None,
            source="Efron and Stein 1981",
        ),
    }

    @property
    def fewest(self) -> int:
        return 3

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return vars(sums(real.features))

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        value, error = unbiased_mmd2(generated.features, Sums(**reference))
        return {"kd": value, "kd_error": error}
