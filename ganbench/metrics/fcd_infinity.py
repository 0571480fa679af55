"""Fréchet distance in the features of the data set's own judge, extrapolated to infinitely many samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._frechet import GROUPS, frechet_reference, infinite_sample_distance, rank_caution


@dataclass(frozen=True)
class FCDInfinity(Metric):
    """What `fcd` would be of infinitely many generated examples, as far as its bias is of the order of 1/n: so values
    of different sample sizes compare, and those of generators whose biases differ. It costs as much as ten values of
    `fcd` and more, so it is a metric of its own. The finite number of real examples is not extrapolated."""

    cost: ClassVar[str] = "ten to twenty times that of fcd"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "fcd_infinity": MetricInfo(
            title="Fréchet classifier distance, extrapolated",
            what="Fréchet distance in the features of the data set's judge, extrapolated to infinitely many generated "
            "examples; 0 is best, and noise can make it slightly negative",
            best="low",
            lower=None,
            upper=None,
            unit="squared units of the features",
            source="Chong and Forsyth 2020",
        ),
        "fcd_infinity_error": MetricInfo(
            title="Error of the extrapolated FCD",
            what="jackknife standard error of the extrapolated Fréchet classifier distance over samples of a generator",
            best="none",
            lower=0.0,
            upper=None,
            unit="squared units of the features",
            source="Efron and Stein 1981",
        ),
    }

    @property
    def fewest(self) -> int:
        return 2 * GROUPS

    def caution(self, samples: int, real: int, features: int) -> str | None:
        return rank_caution(samples // GROUPS, real, features, "the distance that is extrapolated")

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return frechet_reference(real.features)

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        value, error = infinite_sample_distance(generated.features, reference)
        return {"fcd_infinity": value, "fcd_infinity_error": error}
