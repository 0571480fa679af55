"""Distance of the means: how far the mean of generated examples lies from that of real ones, in features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyMetric(Metric):
    """|mean of generated - mean of real|^exponent, in the features of the data set's judge.

    It sees no shape of the distribution: a generator that draws the mean alone has 0.
    """

    exponent: Annotated[float, Interval(gt=0, le=4)] = 1.0
    """Power of the distance."""

    cost: ClassVar[str] = "M F; the reference N F"  # work for M generated examples, N real ones and F features
    columns: ClassVar[dict[str, MetricInfo]] = {  # the names become columns of tables: no other metric may have them
        "my_metric": MetricInfo(
            title="Distance of the means",
            what="distance of the mean of generated examples from that of real ones, in the judge's features",
            best="low",  # or "high", or "none"
            lower=0.0,  # None for no bound
            upper=None,
        )
    }

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        # Computed once for a data set and stored: arrays and numbers, in dicts with text as keys.
        return {"mean": real.features.mean(axis=0)}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        # `features` is (n, F), float64; `examples` is (n, *shape). Nothing that is given may be changed in place.
        apart = generated.features.mean(axis=0) - reference["mean"]
        return {"my_metric": float(np.linalg.norm(apart) ** self.exponent)}
