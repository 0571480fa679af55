"""The birthday test: how many different examples a generator has, from how often two of them are nearly the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._neighbors import ball_counts, squared_radii


@dataclass(frozen=True)
class Birthday(Metric):
    """Of S equally likely examples, two draws are the same one with probability 1 / S, and s draws hold a pair with
    probability 1/2 where S is about s^2 / (2 ln 2) (Arora and Zhang 2017). Here all M (M - 1) / 2 pairs of generated
    examples are looked at, and the inverse share of the pairs that are near-duplicates is the number S.

    Near-duplicates of images cannot be told by a fixed distance. So two examples are nearly the same where they lie
    nearer to one another, in the features of the data set's judge, than a few of the real training examples do to
    theirs: real examples then have a support of about N / `share`, and a generator of few images about their number.
    The more training examples, the nearer a pair must lie: compare values of one data set.
    """

    share: Annotated[float, Interval(gt=0, le=0.5)] = 0.05
    """Share of the real training examples whose nearest other one counts as a near-duplicate."""

    cost: ClassVar[str] = "M^2 F in blocks of bounded memory; the reference N^2 F"
    proportional: ClassVar[bool] = True  # real examples have a support of about N / share
    columns: ClassVar[dict[str, MetricInfo]] = {
        "support_size": MetricInfo(
            title="Support size",
            what="number of different examples that the generator has, if it drew all of them equally often: the "
            "inverse share of near-duplicates among all pairs; at most the number of pairs, where none is one; 1 is "
            "collapse onto one example",
            best="high",
            lower=1.0,
            upper=None,
            unit="examples",
            source="Arora and Zhang 2017",
        )
    }

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        nearest = np.sort(squared_radii(real.features, 1))
        return {"squared_distance": float(nearest[int(self.share * (len(nearest) - 1))])}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        features, count = generated.features, len(generated.features)
        near, _ = ball_counts(features, np.full(count, reference["squared_distance"]), features)
        twice = int(near.sum()) - count  # each pair from both sides, without the examples themselves
        return {"support_size": count * (count - 1) / max(twice, 2)}
