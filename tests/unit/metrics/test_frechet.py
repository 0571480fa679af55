"""The Fréchet distance against closed forms and pytorch-fid, and its extrapolation to infinitely many samples."""

from __future__ import annotations

import numpy as np
import pytest
from judging import scores
from pytorch_fid.fid_score import calculate_frechet_distance

from ganbench.metrics._frechet import (
    frechet_distance,
    frechet_reference,
    gaussian_reference,
    infinite_sample_distance,
    rank_caution,
)
from ganbench.metrics.fd import FD
from ganbench.metrics.fd_infinity import FDInfinity
from ganbench.metrics.fid import FID


def with_moments(mean: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Features with this mean and these standard deviations exactly, and no covariances: two on each axis."""
    size = len(mean)
    return mean + np.concatenate([np.eye(size), -np.eye(size)]) * deviations * np.sqrt((2 * size - 1) / 2)


def test_distance_of_commuting_gaussians():
    """For diagonal covariances: |m1 - m2|^2 + sum (s1 - s2)^2."""
    random = np.random.default_rng(0)
    (m1, m2), (s1, s2) = random.normal(size=(2, 6)), random.uniform(0.1, 2, size=(2, 6))
    expected = np.square(m1 - m2).sum() + np.square(s1 - s2).sum()
    for reference in (gaussian_reference(m2, np.diag(s2**2)), frechet_reference(with_moments(m2, s2))):
        assert frechet_distance(with_moments(m1, s1), reference) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("count", "features"), [(2, 3), (10, 32), (33, 32), (500, 32), (64, 64), (40, 200), (150, 200), (260, 200)]
)
def test_a_symmetric_positive_map_transports_at_the_least_cost(count, features):
    """From any x to x A + b with A symmetric and positive: the distance is the mean squared way, whatever the rank. It
    is exact to 1e-9 with fewer features than examples, more of them, and far more."""
    random = np.random.default_rng(count)
    x = random.normal(size=(count, features)) * np.exp(random.normal(size=features))
    axes, _ = np.linalg.qr(random.normal(size=(features, features)))
    y = x @ ((axes * np.exp(0.5 * random.normal(size=features))) @ axes.T) + random.normal(size=features)
    way = y - x
    expected = np.square(way.mean(axis=0)).sum() + way.var(axis=0, ddof=1).sum()
    assert frechet_distance(y, frechet_reference(x)) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(x, frechet_reference(y)) == pytest.approx(expected, rel=1e-9)
    spread = x.var(axis=0).sum()
    assert frechet_distance(x, frechet_reference(x)) == pytest.approx(0, abs=1e-9 * spread)


# pytorch-fid 0.3.0 calls scipy in a way that SciPy 1.18 drops, which is why SciPy is pinned below that.
@pytest.mark.filterwarnings("ignore:The `disp` argument is deprecated:DeprecationWarning")
@pytest.mark.parametrize("features", [16, 150])
def test_distance_agrees_with_pytorch_fid(features):
    random = np.random.default_rng(1)
    a = random.normal(size=(900, features))
    b = random.normal(size=(700, features)) @ random.normal(size=(features, features)) + 0.5
    theirs = calculate_frechet_distance(*(stat for x in (a, b) for stat in (x.mean(axis=0), np.cov(x, rowvar=False))))
    assert frechet_distance(a, frechet_reference(b)) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("real", [20, 100, 150, 151, 400])
def test_real_examples_fewer_than_features_and_samples(real):
    """Real ones span few directions, of 150 features: against the formula with a matrix root by eigenvectors."""
    random = np.random.default_rng(real)
    a, b = random.normal(0.1, 1.5, size=(400, 150)), random.normal(size=(real, 150))
    reference = frechet_reference(b)
    rank = min(real, 150)
    assert reference["factor"].shape == (150, rank)
    assert not np.triu(reference["factor"], 1).any(), "LAPACK reads nothing above the diagonal"
    of_a, of_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    np.testing.assert_allclose(reference["factor"] @ reference["factor"].T, of_b, atol=1e-12)
    values, vectors = np.linalg.eigh(of_a)
    root = (vectors * np.sqrt(values)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ of_b @ root)[-min(real - 1, 150) :]).sum()
    expected = np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + np.trace(of_a) + np.trace(of_b) - 2 * cross
    assert frechet_distance(a, reference) == pytest.approx(expected, rel=1e-9)


def test_distance_to_and_from_a_single_point():
    random = np.random.default_rng(2)
    flat, round_ = np.resize([[1.0, 2.0, 3.0]], (50, 3)), random.normal(size=(50, 3))
    expected = np.square(round_.mean(axis=0) - [1, 2, 3]).sum() + round_.var(axis=0, ddof=1).sum()
    assert frechet_distance(flat, frechet_reference(round_)) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(round_, frechet_reference(flat)) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(flat, frechet_reference(flat + 1)) == pytest.approx(3, rel=1e-12)


@pytest.mark.cluster
def test_distance_has_the_known_bias_and_its_extrapolation_has_not():
    """Samples of N(0, I_d) against its exact moments: about d/n + d(d+1)/4n (Chong and Forsyth 2020)."""
    d, n, times = 16, 1000, 30
    random = np.random.default_rng(3)
    exact = gaussian_reference(np.zeros(d), np.eye(d))
    samples = random.normal(size=(times, n, d))
    bias = d / n + d * (d + 1) / (4 * n)
    assert np.mean([frechet_distance(x, exact) for x in samples]) == pytest.approx(bias, rel=0.07)
    found = np.array([infinite_sample_distance(x, exact) for x in samples])
    assert abs(found[:, 0].mean()) < 0.1 * bias
    # Where distributions are equal, the error is not linear in the examples, and the jackknife's is on the safe side.
    assert found[:, 0].std() < np.sqrt(np.square(found[:, 1]).mean()) < 3 * found[:, 0].std()


@pytest.mark.slow
def test_the_error_of_the_extrapolation_is_that_over_samples():
    """Of N(0.5, 1.5^2) in 8 dimensions, whose distance to N(0, 1) is 8 (0.5^2 + 0.5^2) = 4."""
    random, exact = np.random.default_rng(4), gaussian_reference(np.zeros(8), np.eye(8))
    found = np.array([infinite_sample_distance(random.normal(0.5, 1.5, size=(1000, 8)), exact) for _ in range(100)])
    assert found[:, 0].mean() == pytest.approx(4, abs=4 * found[:, 0].std() / 10)
    assert np.sqrt(np.square(found[:, 1]).mean()) == pytest.approx(found[:, 0].std(), rel=0.2)


def test_the_extrapolation_is_a_line_in_one_over_n(monkeypatch):
    """With a distance of exactly 5 + 3 / n, all of it."""
    from ganbench.metrics import _frechet

    monkeypatch.setattr(_frechet, "frechet_distance", lambda features, reference: 5 + 3 / len(features))
    value, error = _frechet.infinite_sample_distance(np.zeros((83, 1)), {})
    assert value == pytest.approx(5, rel=1e-3), "parts of ten and eleven have no common size"
    assert error < 0.01


def test_metrics_are_these_numbers():
    random = np.random.default_rng(5)
    x, y = random.normal(size=(2, 120, 4))
    reference = frechet_reference(y)
    assert scores(FD(), x, y) == {"fd": frechet_distance(x, reference)}
    value, error = infinite_sample_distance(x, reference)
    assert scores(FDInfinity(), x, y) == {"fd_infinity": value, "fd_infinity_error": error}


def test_too_few_examples_for_the_features_are_said_to_be():
    assert rank_caution(2000, 1500, 32, "it") is None
    assert FD().caution(2000, 1500, 32) is None
    assert "2,000 samples are too few for 2,048 features" in FD().caution(2000, 50_000, 2048)
    assert "32 real examples are too few for 32 features" in FD().caution(2000, 32, 32)
    assert "the FID is far above" in FID().caution(2000, 50_000, 8)
    assert "16,000 samples" not in (said := FID().caution(16_000, 50_000, 8))
    assert "2,000 samples are too few" in said
    assert "that fid_infinity extrapolates" in said
    assert FID().caution(50_000, 50_000, 8) is None
    assert "31 samples are too few for 32 features" in FDInfinity().caution(250, 1000, 32)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered")
def test_a_distance_beyond_all_numbers_is_not_the_best_one():
    """Its squares are infinite, and their difference is not a number."""
    random = np.random.default_rng(0)
    reference = frechet_reference(random.normal(size=(50, 3)))
    assert np.isnan(frechet_distance(1e200 * random.normal(size=(50, 3)), reference))
