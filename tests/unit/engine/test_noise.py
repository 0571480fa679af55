"""Noise against its moments, and what metrics make of it."""

from __future__ import annotations

import numpy as np
import pytest
from building import part

from ganbench.engine.noise import PART, noise_like
from ganbench.engine.nulls import nulls
from ganbench.engine.real_draws import RealExamples
from ganbench.judges import JudgedExamples


def test_noise_has_the_means_and_variances_of_the_data_and_no_correlation():
    random = np.random.default_rng(0)
    x = random.standard_normal(2 * PART + 7)
    real = np.stack([3 + 0.5 * x, -1e4 + 2 * x, np.full(len(x), 7.0)], axis=1).astype(np.float32)
    drawn = noise_like(real, 20_000).astype(np.float64)
    assert (drawn.shape, noise_like(real, 5).dtype) == ((20_000, 3), np.float32)
    np.testing.assert_allclose(drawn.mean(axis=0), real.mean(axis=0, dtype=np.float64), atol=4 * 2 / np.sqrt(20_000))
    np.testing.assert_allclose(drawn.std(axis=0), real.std(axis=0, dtype=np.float64), rtol=4 / np.sqrt(40_000))
    assert np.corrcoef(real[:, :2].T)[0, 1] > 0.999
    assert abs(np.corrcoef(drawn[:, :2].T)[0, 1]) < 4 / np.sqrt(20_000)
    np.testing.assert_array_equal(noise_like(real, 20_000)[:10], drawn[:10].astype(np.float32), "the same every time")


def test_noise_of_images_keeps_to_their_range():
    images = np.array([0, 255], np.uint8)[np.random.default_rng(0).integers(0, 2, (500, 1, 4, 4))]
    drawn = noise_like(images, 2000)
    assert (drawn.min(), drawn.max()) == (-1, 1)
    assert np.mean(drawn == 1) == pytest.approx(0.159, abs=0.01), "beyond one standard deviation"


def test_a_frechet_distance_of_features_that_are_correlated_tells_noise_and_one_of_independent_ones_does_not():
    """The distance of N(0, I) to N(0, S) is tr(I + S - 2 S^(1/2)): with variances of 1 and a correlation r, in two
    dimensions, 4 - 2 (sqrt(1 + r) + sqrt(1 - r))."""

    def judged(features: np.ndarray) -> JudgedExamples:
        return JudgedExamples(features, features.astype(np.float64), None, None, 0)

    metric, found = part("metric", "fd"), {}
    for r in (0.0, 0.9):
        mix = np.linalg.cholesky([[1, r], [r, 1]]).T

        def draw(count: int, random: np.random.Generator, mix: np.ndarray = mix) -> np.ndarray:
            return random.standard_normal((count, 2)) @ mix

        random = np.random.default_rng(1)
        train, heldout = judged(draw(20_000, random)), judged(draw(2000, random))
        known = RealExamples(train, heldout, judged, draw)
        found[r] = nulls([(metric, metric.reference(train, heldout))], known, 2000)["fd"]
    assert found[0.9].noise == pytest.approx(4 - 2 * (np.sqrt(1.9) + np.sqrt(0.1)), rel=0.1)
    assert found[0.9].noise > 10 * found[0.9].high
    assert found[0.0].noise < 2 * found[0.0].high
