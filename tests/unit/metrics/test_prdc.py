"""Precision, recall, density and coverage, and the search for neighbours that they rest on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import scores
from prdc import compute_prdc

from ganbench.metrics import _neighbors
from ganbench.metrics._neighbors import ball_counts, closest, nearest, squared_distances, squared_radii
from ganbench.metrics.prdc import PRDC

# Neighbours -----------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    m=st.integers(1, 30),
    n=st.integers(4, 40),
    features=st.integers(1, 5),
    k=st.integers(1, 3),
    levels=st.sampled_from([2, 5, 1000]),
    offset=st.sampled_from([0.0, 1e6]),
    seed=st.integers(0, 2**32),
)
def test_neighbours_are_those_of_all_pairs(m, n, features, k, levels, offset, seed):
    """With few levels most distances are equal, and far from the origin a matrix product loses half of its digits."""
    random = np.random.default_rng(seed)
    queries, points = (random.integers(levels, size=(count, features)) + offset for count in (m, n))
    squared = np.square(queries[:, None] - points).sum(axis=2)
    order = np.argsort(squared, axis=1, kind="stable")
    found, distances = nearest(queries, points, k)
    np.testing.assert_array_equal(found, order[:, :k])
    np.testing.assert_array_equal(distances, np.take_along_axis(squared, order[:, :k], axis=1))

    np.testing.assert_array_equal(closest(queries, points), order[:, 0])

    among = np.square(points[:, None] - points).sum(axis=2)
    np.fill_diagonal(among, np.inf)
    radii = np.sort(among, axis=1)[:, k - 1]
    np.testing.assert_array_equal(squared_radii(points, k), radii)
    inside = (squared < radii) | (squared == 0)
    around, held = ball_counts(points, radii, queries)
    np.testing.assert_array_equal(around, inside.sum(axis=1))
    np.testing.assert_array_equal(held, inside.sum(axis=0))


def test_blocks_change_nothing(monkeypatch):
    random = np.random.default_rng(0)
    queries, points = random.normal(size=(301, 7)), random.normal(size=(97, 7))
    radii = squared_radii(points, 3)
    whole = (*nearest(queries, points, 2), *ball_counts(points, radii, queries))
    monkeypatch.setattr(_neighbors, "BLOCK_BYTES", 5000)  # six queries
    parts = (*nearest(queries, points, 2), *ball_counts(points, squared_radii(points, 3), queries))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_outlier_leaves_other_pairs_to_the_matrix_product(monkeypatch):
    """Pairs without it are not open by the error of its distances."""
    random, counts = np.random.default_rng(3), []
    points, queries = random.normal(size=(1000, 3)), random.normal(size=(200, 3))
    points[7] = 1e8
    real = squared_distances
    monkeypatch.setattr(_neighbors, "squared_distances", lambda *of: counts.append(len(of[2])) or real(*of))
    squared = np.square(queries[:, None] - points).sum(axis=2)
    found, _ = nearest(queries, points, 2)
    np.testing.assert_array_equal(found, np.argsort(squared, axis=1)[:, :2])
    around, held = ball_counts(points, np.full(1000, 0.5), queries)
    np.testing.assert_array_equal(around, (squared < 0.5).sum(axis=1))
    np.testing.assert_array_equal(held, (squared < 0.5).sum(axis=0))
    assert sum(counts) < 2000, "of 200,000"


def test_equal_examples_are_at_distance_zero_exactly():
    x = np.random.default_rng(0).normal(1e3, size=(50, 300))
    every = np.arange(50)
    assert not squared_distances(x, x.copy(), every, every).any()
    found, distances = nearest(x, x.copy(), 1)
    assert found[:, 0].tolist() == every.tolist()
    assert not distances.any()


# Scores ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "generated", "features", "k"),
    [(300, 400, 2, 5), (400, 300, 32, 3), (250, 250, 600, 5), (30, 8, 4, 6)],
)
def test_scores_are_those_of_the_authors_package(capsys, real, generated, features, k):
    random = np.random.default_rng(features)
    x = random.normal(size=(real, features))
    y = 0.1 + random.normal(size=(generated, features)) * random.uniform(0.7, 1.1, size=features)
    for sample in (y, x.copy()):  # of equal sets, every k-th neighbour lies on the edge of a ball
        assert scores(PRDC(k), sample, x) == pytest.approx(compute_prdc(x, sample, k), rel=1e-12)


def test_a_perfect_generator_has_the_known_coverage_and_density():
    """A generated example is as likely to be among the k nearest as a real one, whatever the distribution: a ball of k
    of the N - 1 others holds none of M with probability (N-1)...(N-k) / (M+N-1)...(M+N-k), and k M / N on average."""
    random, (real, generated, k) = np.random.default_rng(0), (150, 150, 5)
    found = [
        scores(PRDC(k), *(np.exp(random.normal(size=(count, 2))) for count in (generated, real))) for _ in range(60)
    ]
    empty = np.prod([(real - 1 - i) / (generated + real - 1 - i) for i in range(k)])
    for column, expected in (("coverage", 1 - empty), ("density", 1.0)):
        values = [each[column] for each in found]
        assert np.mean(values) == pytest.approx(expected, abs=4 * np.std(values) / len(values) ** 0.5)
        assert np.std(values) / len(values) ** 0.5 < 0.01 * expected
    assert 1 - empty == pytest.approx(1 - 2**-5, abs=2e-3), "the limit of large equal sets for k = 5"
    forth, back = (np.mean([each[column] for each in found]) for column in ("precision", "recall"))
    assert forth == pytest.approx(back, abs=0.01), "of equal distributions and numbers"


@pytest.mark.slow
def test_precision_and_recall_of_equal_distributions_fall_with_the_dimension():
    """At N = 2000 in 1000 dimensions a perfect generator has about 0.56 of both, and still 0.97 of coverage."""
    x, y = np.random.default_rng(0).normal(size=(2, 2000, 1000))
    found = scores(PRDC(), y, x)
    assert (found["precision"] + found["recall"]) / 2 == pytest.approx(0.56, abs=0.02)
    assert found["coverage"] == pytest.approx(0.969, abs=0.03)


def test_what_is_missing_lowers_recall_and_what_is_unlike_lowers_precision():
    random = np.random.default_rng(1)
    real, fresh = (random.normal(size=(600, 2)) + [[0, 0], [20, 0], [40, 0]][i] for i in (0, 1) for _ in (0,))
    real, alike = np.concatenate([real, fresh]), random.normal(size=(600, 2))
    missing = scores(PRDC(), alike, real)
    assert missing["precision"] > 0.95
    assert missing["density"] > 0.9
    assert missing["recall"] == pytest.approx(0.5, abs=0.03)
    assert missing["coverage"] == pytest.approx(0.5, abs=0.03)
    unlike = scores(PRDC(), np.concatenate([alike, alike + 1000]), real[:600])
    assert unlike["recall"] > 0.95
    assert unlike["coverage"] > 0.9
    assert unlike["precision"] == pytest.approx(0.5, abs=0.03)
    assert unlike["density"] == pytest.approx(0.5, abs=0.05)


def test_one_outlier_buys_precision_and_no_coverage():
    """What density and coverage are for (Naeem et al. 2020, figure 1)."""
    random = np.random.default_rng(2)
    real = np.concatenate([random.normal(size=(500, 2)), [[50.0, 0.0]]])
    found = scores(PRDC(), random.normal([30, 0], 1, size=(500, 2)), real)
    assert found["precision"] == 1
    assert found["density"] < 0.25
    assert found["coverage"] < 0.01


def test_a_constant_generator_and_equal_sets_have_defined_scores():
    real = np.random.default_rng(3).normal(size=(200, 3))
    copied = scores(PRDC(), np.tile(real[7], (200, 1)), real)
    assert copied["precision"] == 1
    assert copied["recall"] == 1 / 200, "the one that it copies, though the balls of the copies have radius 0"
    assert copied["coverage"] < 0.1
    apart = scores(PRDC(), np.full((200, 3), 9.0), real)
    assert set(apart.values()) == {0.0}
    assert scores(PRDC(), real, real) == {"precision": 1, "recall": 1, "density": 1, "coverage": 1}
    same = scores(PRDC(), np.ones((20, 2)), np.ones((30, 2)))
    assert (same["precision"], same["recall"], same["coverage"]) == (1, 1, 1)


def test_large_sets_are_thinned_evenly():
    random = np.random.default_rng(4)
    real, generated = random.normal(size=(450, 2)), random.normal(size=(300, 2))
    assert scores(PRDC(max_examples=150), generated, real) == scores(PRDC(), generated[::2], real[::3])
    assert PRDC(k=7).fewest == 8
