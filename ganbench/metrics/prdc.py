"""Precision, recall, density and coverage: whether generated examples lie among real ones, and all around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.evenly_spaced import evenly_spaced
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._neighbors import ball_counts, squared_radii


@dataclass(frozen=True)
class PRDC(Metric):
    """Every example has a ball that reaches to its k-th nearest neighbour of the same set, in the features of the data
    set's judge. The balls of a set stand for where its distribution is.

    All four depend on k, on the number of features and on both numbers of examples: compare values of equal ones, and
    with what real examples score. At 5 neighbours and as many generated as real examples that is 0.969 for coverage and
    1 for density, whatever the data; for precision and recall it falls with the dimension, to about 0.5 at 1000.

    One real outlier has a wide ball that many bad examples fall into, so precision forgives them. Density and coverage
    are the remedy: they count all balls around an example, and only real ones.
    """

    k: Annotated[int, Interval(ge=1, le=100)] = 5
    """Rank of the neighbour that a ball reaches to. Kynkäänniemi et al. use 3, Naeem et al. 5."""
    max_examples: Annotated[int, Interval(ge=101, le=100_000)] = 10_000

    cost: ClassVar[str] = (
        "M N F for real balls and M (M + N) F for generated ones, in blocks of bounded memory; the reference N^2 F"
    )
    columns: ClassVar[dict[str, MetricInfo]] = {
        "precision": MetricInfo(
            title="Precision",
            what="share of generated examples that lie in the ball of a real training example, which reaches to its "
            "k-th nearest real one; low where samples are unlike the data",
            best="high",
            lower=0.0,
            upper=1.0,
            source="Kynkäänniemi et al. 2019",
        ),
        "recall": MetricInfo(
            title="Recall",
            what="share of real training examples that lie in the ball of a generated example, which reaches to its "
            "k-th nearest generated one; low where parts of the data are missing",
            best="high",
            lower=0.0,
            upper=1.0,
            source="Kynkäänniemi et al. 2019",
        ),
        "density": MetricInfo(
            title="Density",
            what="mean number of balls of real training examples around a generated example, over k; about 1 for a "
            "perfect generator, less for samples unlike the data, more for samples crowded where the data are dense",
            best="high",
            lower=0.0,
            upper=None,
            source="Naeem et al. 2020",
        ),
        "coverage": MetricInfo(
            title="Coverage",
            what="share of real training examples with a generated example in their ball; low where parts of the data "
            "are missing",
            best="high",
            lower=0.0,
            upper=1.0,
            source="Naeem et al. 2020",
        ),
    }

    @property
    def fewest(self) -> int:
        return self.k + 1

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        features = self._few(real.features)
        return {"features": features, "squared_radii": squared_radii(features, self.k)}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        real, features = reference["features"], self._few(generated.features)
        around, held = ball_counts(real, reference["squared_radii"], features)
        found, _ = ball_counts(features, squared_radii(features, self.k), real)
        return {
            "precision": float((around > 0).mean()),
            "recall": float((found > 0).mean()),
            "density": float(around.sum() / (self.k * len(features))),
            "coverage": float((held > 0).mean()),
        }

    def _few(self, features: np.ndarray) -> np.ndarray:
        """At most `max_examples` of features (n, F)."""
        return features[evenly_spaced(len(features), self.max_examples)]
