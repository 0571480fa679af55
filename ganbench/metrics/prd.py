"""Precision and recall of distributions: the curve of what a generator gets right against what it reaches."""

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
from ganbench.metrics._neighbors import closest, squared_distances

ROUNDS = 20  # of a clustering at most: later ones move few examples


@dataclass(frozen=True)
class PRD(Metric):
    """Real and generated examples are clustered together, in the features of the data set's judge, and their histograms
    p and q over the clusters compared. For each slope s from 0 to infinity, sum min(s p, q) is a precision and
    sum min(p, q / s) a recall that a generator can have together; `prd_f8` and `prd_f1_8` are the largest F-scores of
    such pairs, of which the first weighs recall eight times, and the second precision.

    Both are as many: of the more numerous, evenly spaced ones are taken, since clusters would follow these otherwise.

    The F-score of weight b is (1 + b^2) sum min(s p, q) / (1 + b^2 s): a piecewise linear function of s over a linear
    one, so it is largest at one of the slopes q / p, and no grid of slopes is needed.

    A cluster hides what differs within it, so both are close to 1 for generators that `prdc` tells apart.
    """

    clusters: Annotated[int, Interval(ge=2, le=1000)] = 20
    """Number of clusters; Sajjadi et al. use 20."""
    clusterings: Annotated[int, Interval(ge=1, le=100)] = 10
    """Number of clusterings from different starts, over which the scores are averaged; they use 10."""
    max_examples: Annotated[int, Interval(ge=1000, le=100_000)] = 10_000

    cost: ClassVar[str] = "up to 20 rounds of (M + N) F clusters, for each clustering"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "prd_f8": MetricInfo(
            title="PRD F8 (recall)",
            what="largest F-score, with recall weighed eight times, on the curve of precision and recall of the "
            "histograms over clusters; low where parts of the data are missing",
            best="high",
            lower=0.0,
            upper=1.0,
            source="Sajjadi et al. 2018",
        ),
        "prd_f1_8": MetricInfo(
            title="PRD F1/8 (precision)",
            what="largest F-score, with precision weighed eight times, on the curve of precision and recall of the "
            "histograms over clusters; low where samples are unlike the data",
            best="high",
            lower=0.0,
            upper=1.0,
            source="Sajjadi et al. 2018",
        ),
    }

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return {"features": real.features[evenly_spaced(len(real.features), self.max_examples)]}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        few = min(len(reference["features"]), len(generated.features), self.max_examples)
        real, mine = (x[evenly_spaced(len(x), few)] for x in (reference["features"], generated.features))
        both, count = np.concatenate([real, mine]), min(self.clusters, 2 * few)
        found = []
        for seed in range(self.clusterings):
            cluster = k_means(both, count, np.random.default_rng(seed))
            p, q = (np.bincount(part, minlength=count) / few for part in np.split(cluster, 2))
            found.append((largest_f_score(p, q, 8.0), largest_f_score(p, q, 1 / 8)))
        f8, f1_8 = zip(*found, strict=True)
        return {"prd_f8": sum(f8) / len(f8), "prd_f1_8": sum(f1_8) / len(f1_8)}


def largest_f_score(p: np.ndarray, q: np.ndarray, weight: float) -> float:
    """The largest F-score on the curve of precision and recall of two histograms.

    Args:
        p, q: shares of real and of generated examples in each cluster, (clusters,).
        weight: weight of recall relative to precision.
    """
    slopes = q[p > 0] / p[p > 0]
    precisions = np.minimum(slopes[:, None] * p, q).sum(axis=1)
    return float(((1 + weight**2) * precisions / (1 + weight**2 * slopes)).max())


def k_means(points: np.ndarray, clusters: int, random: np.random.Generator) -> np.ndarray:
    """The cluster of each point, by Lloyd's algorithm from the starts of Arthur and Vassilvitskii (2007).

    With the same bits on every processor, unlike scikit-learn's.

    Args:
        points: shape (n, F), with n at least the number of clusters.
        clusters: number of clusters; some are empty where fewer points differ.
        random: draws the starts.
    """
    every, columns = np.arange(len(points)), np.ascontiguousarray(points.T)
    centres = points[random.integers(len(points), size=1)]
    apart = squared_distances(points, centres, every, np.zeros_like(every))
    while len(centres) < clusters:
        below = np.cumsum(apart)  # one by one, unlike a sum
        new = np.searchsorted(below, random.random() * below[-1], side="right").clip(max=len(points) - 1)
        centres = np.concatenate([centres, points[new : new + 1]])
        apart = np.minimum(apart, squared_distances(points, centres, every, np.full_like(every, len(centres) - 1)))
    cluster = np.full(len(points), -1)
    for _ in range(ROUNDS):
        before, cluster = cluster, closest(points, centres)
        if np.array_equal(before, cluster):
            break
        sizes = np.bincount(cluster, minlength=clusters)
        sums = [np.bincount(cluster, weights=column, minlength=clusters) for column in columns]
        centres = np.where(sizes[:, None] > 0, np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None], centres)
    return cluster
