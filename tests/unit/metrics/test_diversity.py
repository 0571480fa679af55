"""Diversity against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from ganbench.judges import JudgedExamples
from ganbench.metrics.diversity import Diversity


def judged(features: np.ndarray) -> JudgedExamples:
    n = len(features)
    return JudgedExamples(features, features.astype(np.float64), np.zeros(n, int), np.ones(n, bool), 1)


def diversity(generated: np.ndarray, real: np.ndarray) -> float:
    metric = Diversity()
    return metric.score(judged(generated), metric.reference(judged(real), judged(real)))["diversity"]


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_it_is_the_ratio_of_the_traces_of_the_covariances(scale):
    random = np.random.default_rng(0)
    real, generated = random.normal(size=(200, 5)) * [1, 2, 3, 0.1, 0], scale * random.normal(2, 1, size=(300, 5))
    expected = np.trace(np.cov(generated.T)) / np.trace(np.cov(real.T))
    assert diversity(generated, real) == pytest.approx(expected, rel=1e-12)


def test_it_knows_neither_place_nor_size_of_the_features():
    random = np.random.default_rng(1)
    real, generated = random.normal(size=(100, 3)), random.normal(size=(50, 3))
    assert diversity(generated + 1e3, real - 7) == pytest.approx(diversity(generated, real), rel=1e-9)
    assert diversity(5 * generated, 5 * real) == pytest.approx(diversity(generated, real), rel=1e-12)


def test_one_and_the_same_example_has_none():
    """Exactly 0, without a rounding of the mean."""
    real = np.random.default_rng(2).normal(size=(50, 4))
    assert diversity(np.repeat(real[:1] / 3, 30, axis=0), real) == 0


def test_a_share_of_the_modes_has_a_share_of_the_variance():
    """Two of m corners of a simplex, each drawn as often: (1/2) of the variance 1 - 1/m of all."""
    m = 10
    corners = np.repeat(np.eye(m), 50, axis=0)
    two = np.repeat(np.eye(m)[:2], 250, axis=0)
    assert diversity(two, corners) == pytest.approx(0.5 / (1 - 1 / m), rel=1e-12)


def test_identical_real_examples():
    same = np.ones((20, 2))
    assert diversity(same, same) == 1
    assert diversity(np.random.default_rng(3).normal(size=(20, 2)), same) == np.inf


@pytest.mark.parametrize("size", [1e200, 1.5e308])
def test_differences_beyond_floating_point_are_infinitely_diverse(size):
    """Their squares are, or they are themselves; the features are not touched."""
    generated, real = np.array([[size], [-size], [size]]), np.random.default_rng(4).normal(size=(20, 1))
    before = generated.copy()
    assert diversity(generated, real) == np.inf
    np.testing.assert_array_equal(generated, before)
