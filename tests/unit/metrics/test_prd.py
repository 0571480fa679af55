"""Precision and recall of distributions, against a fine grid of slopes and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import scores
from sklearn.cluster import KMeans

from ganbench.data.digits import Digits
from ganbench.metrics.prd import PRD, k_means, largest_f_score


def over_angles(p: np.ndarray, q: np.ndarray, weight: float, angles: int = 1001) -> float:
    """The largest F-score over evenly spaced angles, as Sajjadi et al. compute it."""
    slopes = np.tan(np.linspace(1e-10, np.pi / 2 - 1e-10, angles))[:, None]
    precision, recall = np.minimum(slopes * p, q).sum(axis=1), np.minimum(p, q / slopes).sum(axis=1)
    with np.errstate(invalid="ignore"):
        score = (1 + weight**2) * precision * recall / (weight**2 * precision + recall)
    return float(np.where(np.isnan(score), 0.0, score).max())  # of a pair of zeros


@settings(max_examples=60)
@given(clusters=st.integers(2, 20), seed=st.integers(0, 2**32), weight=st.sampled_from([1 / 8, 1.0, 8.0]))
def test_the_largest_f_score_is_that_of_all_slopes(clusters, seed, weight):
    random = np.random.default_rng(seed)
    p, q = (random.dirichlet(np.full(clusters, 0.5)) * (random.random(clusters) < 0.8) for _ in range(2))
    p[0], q[-1] = p[0] + 0.01, q[-1] + 0.01
    p, q = p / p.sum(), q / q.sum()
    exact, grid = largest_f_score(p, q, weight), over_angles(p, q, weight, 20_001)
    assert exact >= grid - 1e-9
    assert exact == pytest.approx(grid, abs=2e-3)


def test_f_scores_by_hand():
    """Half of the data missing: precision 1 with recall 1/2, so F = (1 + b^2) / (1 + 2 b^2)."""
    half, whole = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    for weight in (1 / 8, 8.0):
        missing = (1 + weight**2) / (1 + 2 * weight**2)
        assert largest_f_score(whole, half, weight) == pytest.approx(missing)
        assert largest_f_score(half, whole, weight) == pytest.approx((1 + weight**2) / (2 + weight**2))
        assert largest_f_score(whole, whole, weight) == 1
        assert largest_f_score(half, np.array([0.0, 1.0]), weight) == 0


def test_clusters_are_those_of_lloyd_s_algorithm():
    """As good as scikit-learn's of one start, on blobs and on digits, and exact where clusters lie far apart."""
    random = np.random.default_rng(0)
    centres = 100 * random.normal(size=(6, 3))
    blobs = np.repeat(centres, 50, axis=0) + random.normal(size=(300, 3))
    found = k_means(blobs, 6, np.random.default_rng(1))
    assert len({tuple(found[start : start + 50]) for start in range(0, 300, 50)}) == 6
    digits = Digits().load().train.reshape(-1, 64).astype(float)

    def spread(cluster: np.ndarray) -> float:
        parts = [digits[cluster == each] for each in np.unique(cluster)]
        return sum(np.square(part - part.mean(axis=0)).sum() for part in parts)

    ours = np.mean([spread(k_means(digits, 20, np.random.default_rng(seed))) for seed in range(5)])
    theirs = np.mean([KMeans(20, n_init=1, random_state=seed).fit(digits).inertia_ for seed in range(5)])
    assert ours == pytest.approx(theirs, rel=0.02)


def test_what_is_missing_lowers_f8_and_what_is_unlike_lowers_the_other():
    examples = Digits().load()
    real, modes = examples.train.reshape(-1, 64).astype(float), examples.train_modes
    heldout = examples.heldout.reshape(-1, 64).astype(float)
    metric = PRD(clusterings=3)
    same, missing = scores(metric, heldout, real), scores(metric, real[modes < 5], real)
    noise = np.random.default_rng(0).uniform(-1, 1, size=heldout.shape)
    unlike = scores(metric, np.concatenate([heldout, noise]), real)
    assert min(same.values()) > 0.95
    assert missing["prd_f8"] < 0.75 < 0.95 < missing["prd_f1_8"]
    assert unlike["prd_f1_8"] < 0.75 < 0.9 < unlike["prd_f8"]


def test_as_many_real_as_generated_examples_are_clustered_whichever_are_more():
    """A hundred of 300 real examples, evenly spaced, and the other way round."""
    random = np.random.default_rng(0)
    many, few = random.normal(0, 1, (300, 2)), random.normal([1, 0], 1, (100, 2))
    assert scores(PRD(), few, many) == scores(PRD(), few, many[::3])
    assert scores(PRD(), many, few) == scores(PRD(), many[::3], few)


def test_degenerate_sets_have_defined_scores():
    ones = np.ones((30, 2))
    assert scores(PRD(), ones, ones) == {"prd_f8": 1, "prd_f1_8": 1}
    assert scores(PRD(), ones + 9, ones) == {"prd_f8": 0, "prd_f1_8": 0}
    assert scores(PRD(), np.array([[1.0, 1.0]] * 2), np.array([[1.0, 1.0]] * 3)) == {"prd_f8": 1, "prd_f1_8": 1}
