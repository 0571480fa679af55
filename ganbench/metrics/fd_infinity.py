"""Fréchet distance in the features of the data set's own judge, extrapolated to infinitely many samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._frechet import (
    GROUPS,
    extrapolated_columns,
    frechet_reference,
    infinite_sample_distance,
    rank_caution,
)


@dataclass(frozen=True)
class FDInfinity(Metric):
    """What `fd` would be of infinitely many generated examples, as far as its bias is of the order of 1/n: so values
    of different sample sizes compare, and those of generators whose biases differ. It costs as much as ten values of
    `fd` and more, so it is a metric of its own. The finite number of real examples is not extrapolated."""

    cost: ClassVar[str] = "ten to twenty times that of fd"
    columns: ClassVar[dict[str, MetricInfo]] = extrapolated_columns(
        of="fd",
        name="FD",
        title="Fréchet distance",
        what="Fréchet distance in the features of the data set's judge",
        unit="squared units of the features",
    )

    @property
    def fewest(self) -> int:
        return 2 * GROUPS

    def caution(self, samples: int, real: int, features: int) -> str | None:
        return rank_caution(samples // GROUPS, real, features, "the distance that is extrapolated")

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return frechet_reference(real.features)

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        value, error = infinite_sample_distance(generated.features, reference)
        return {"fd_infinity": value, "fd_infinity_error": error}
