"""Memorisation: whether generated examples are nearer to training examples than held-out ones are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._neighbors import nearest, squared_radii


@dataclass(frozen=True)
class Memorization(Metric):
    """Of each generated example the ratio r of its distance to the nearest training example over that to the nearest
    held-out example, in the features of the data set's judge. An example counts as much as any other, far or near: the
    mean ratio is the one whose r / (1 + r) is the mean of all r / (1 + r), 1 where training and held-out examples are
    interchangeable, and 0 for copies. A mean of distances would let a few examples unlike all data hide the copies.

    The nearest of many lies nearer than the nearest of few. So the holdout is as large as the training set where there
    are as many held-out examples; and where there are fewer, as mostly, it is cross-fitted: the mean ratio is divided
    by that of the held-out examples themselves, each left out of the holdout in its turn. A generator of examples as
    good as held-out ones has 1 either way; one whose examples are unlike all data may come out somewhat above.

    `authenticity` needs no holdout. It falls with memorisation too, and with noise near training examples it does not.

    All training examples of the data set are compared with, also those that a run of a smaller n_train has not seen; of
    more than 50,000, as many, evenly spaced.
    """

    cost: ClassVar[str] = "M (N + held-out) F in blocks of bounded memory; the reference N (N + held-out) F"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "memorization_ratio": MetricInfo(
            title="Memorisation ratio",
            what="distance of generated examples to the nearest training example over that to the nearest of equally "
            "many held-out ones, cross-fitted where fewer are held out; 1 for a perfect generator, and the nearer to 0 "
            "the more its examples are copies of training examples",
            best="none",  # above 1 is not better than 1
            lower=0.0,
            upper=None,
            source="Meehan et al. 2020",
        ),
        "authenticity": MetricInfo(
            title="Authenticity",
            what="share of generated examples that lie farther from their nearest training example than that one does "
            "from its own nearest training example; about what held-out examples reach is best, 0 is all copies",
            best="none",  # noise has 1
            lower=0.0,
            upper=1.0,
            source="Alaa et al. 2022",
        ),
    }

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        train = real.features
        holdout = heldout.features[:: max(1, len(heldout.features) // len(train))]
        reference = {"train": train, "squared_radii": squared_radii(train, 1), "holdout": holdout, "heldout_ratio": 1.0}
        squared, _ = _nearest_training(holdout, reference)
        ratio = _mean_ratio(squared, squared_radii(holdout, 1))
        # Without any distance among real examples there is nothing to correct.
        return reference | {"heldout_ratio": ratio if 0 < ratio < math.inf else 1.0}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        squared, own = _nearest_training(generated.features, reference)
        _, two = nearest(generated.features, reference["holdout"], 2)
        # A held-out example that is scored as if it were generated finds itself first.
        ratio = _mean_ratio(squared, np.where(two[:, 0] == 0, two[:, 1], two[:, 0]))
        return {
            "memorization_ratio": ratio / reference["heldout_ratio"],
            "authenticity": float((squared > own).mean()),
        }


def _nearest_training(features: np.ndarray, reference: Tree) -> tuple[np.ndarray, np.ndarray]:
    """The squared distances (n,) of features (n, F) to their nearest training examples, and of these to their own."""
    found, squared = nearest(features, reference["train"], 1)
    return squared[:, 0], reference["squared_radii"][found[:, 0]]


def _mean_ratio(squared: np.ndarray, against: np.ndarray) -> float:
    """The ratio r whose r / (1 + r) is the mean of those of n ratios, from squared distances (n,) each.

    Two distances of 0 are in the ratio 1. The mean of all inverse ratios is the inverse of the mean ratio.
    """
    one, other = np.sqrt(squared), np.sqrt(against)
    both = one + other
    share = math.fsum(np.where(both > 0, one / np.where(both > 0, both, 1.0), 0.5)) / len(one)
    return share / (1 - share) if share < 1 else math.inf
