"""Interquartile means: closed forms, and how often their intervals hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from ganbench.analysis.statistics import interquartile
from ganbench.analysis.statistics.interquartile import interquartile_mean, interquartile_mean_interval, spread


def normal(u):
    return stats.norm.ppf(u)


def lognormal(u):
    return np.exp(stats.norm.ppf(u))


def mixture(u):
    """Four runs of five from one normal distribution, and one of five from another, ten standard deviations off."""
    low = stats.norm.ppf(np.clip(u / 0.8, 1e-12, 1 - 1e-12))
    return np.where(u < 0.8, low, 10 + stats.norm.ppf(np.clip((u - 0.8) / 0.2, 1e-12, 1 - 1e-12)))


DISTRIBUTIONS = (normal, lognormal, mixture)  # by quantile functions


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_it_is_the_mean_of_the_middle(values):
    cut = len(values) // 4
    middle = np.sort(values)[cut : len(values) - cut]
    assert interquartile_mean(np.array(values)) == pytest.approx(middle.mean(), rel=1e-9, abs=1e-6)
    assert interquartile_mean(np.array(values)) == stats.trim_mean(values, 0.25)


def test_three_values_have_the_interval_of_their_mean():
    values = np.array([1.0, 2.0, 5.0])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = interquartile_mean_interval(values, np.random.default_rng(0))
    assert found == pytest.approx((expected.low, expected.high))


def test_of_four_to_seven_values_it_is_the_interval_of_yuen():
    """SciPy has the test of two trimmed samples; against one of no spread, the other's interval remains."""
    values = np.array([0.3, 1.1, 1.4, 2.0, 2.2, 7.5, 3.0])
    low, high = interquartile_mean_interval(values, np.random.default_rng(0))
    error = (high - low) / 2 / stats.t.ppf(0.975, 4)
    flat = np.full(7, 0.0) + np.array([0, 0, 1e-9, 0, 0, 0, -1e-9])
    test = stats.ttest_ind(values, flat, equal_var=False, trim=1 / 7)
    assert (low + high) / 2 / error == pytest.approx(test.statistic, rel=1e-6)


def test_an_interval_depends_on_its_generator_alone_and_has_the_unit_of_the_values():
    values = np.random.default_rng(1).lognormal(size=12)
    first, second = (interquartile_mean_interval(values, np.random.default_rng(7)) for _ in range(2))
    assert first == second
    moved = interquartile_mean_interval(3 - 10 * values, np.random.default_rng(7))
    assert moved != first
    scaled = interquartile_mean_interval(3 + 10 * values, np.random.default_rng(7))
    assert scaled == pytest.approx([3 + 10 * bound for bound in first])


def test_values_without_a_spread_have_an_interval_without_a_width():
    for count in (2, 5, 20):
        assert interquartile_mean_interval(np.full(count, 2.0), np.random.default_rng(7)) == (2.0, 2.0)
    assert all(map(math.isnan, interquartile_mean_interval(np.ones(1), np.random.default_rng(7))))
    mostly = np.array([0.0, 1, 1, 1, 1, 1, 1, 1, 1, 9])
    assert interquartile_mean_interval(mostly, np.random.default_rng(7)) == (1, 1)
    nearly = np.array([0.0, 1, 1, 1, 1, 1, 1, 2, 3, 9])  # many resamples have no spread in their middle
    low, high = interquartile_mean_interval(nearly, np.random.default_rng(7))
    assert low <= interquartile_mean(nearly) <= high


def test_spread_counts_the_runs_without_a_value():
    summary = spread(np.array([3.0, np.nan, np.inf, 1.0, 8.0]), np.random.default_rng(0))
    assert (summary.values, summary.min, summary.max) == (3, 1.0, 8.0)
    assert summary.iqm == pytest.approx(4.0)
    assert summary.iqm_low < 4 < summary.iqm_high
    nothing = spread(np.full(2, np.nan), np.random.default_rng(0))
    assert nothing.values == 0
    assert math.isnan(nothing.iqm)


def coverage(distribution, count: int, draws: int, confidence: float = 0.95) -> float:
    """Share of samples whose interval holds the interquartile mean of the distribution."""
    truth = 2 * integrate.quad(distribution, 0.25, 0.75)[0]
    generator = np.random.default_rng(count)
    samples = distribution(generator.random((draws, count)))
    bounds = [interquartile_mean_interval(each, generator, confidence=confidence, resamples=999) for each in samples]
    return float(np.mean([low <= truth <= high for low, high in bounds]))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("count", [3, 5, 8, 10, 20])
def test_coverage(distribution, count):
    # The docstring says 92% to 97%; less four standard errors of 400 draws.
    assert coverage(distribution, count, 400) >= 0.92 - 4 * math.sqrt(0.08 * 0.92 / 400)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("count", [5, 8, 20])
def test_intervals_are_no_wider_than_they_must_be(distribution, count):
    """Of 400 intervals of 95% all may hold the truth by chance; of those of 50% about a half do."""
    assert coverage(distribution, count, 400, confidence=0.5) == pytest.approx(0.5, abs=4 * math.sqrt(0.25 / 400))


@pytest.mark.slow
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize(("count", "least"), [(3, 0.925), (5, 0.91), (8, 0.95), (10, 0.94), (20, 0.94)])
def test_coverage_closely(distribution, count, least):
    held = coverage(distribution, count, 2000)
    assert held >= least - 2.5 * math.sqrt(least * (1 - least) / 2000)
    assert held <= 0.97 + 2.5 * math.sqrt(0.97 * 0.03 / 2000)


@pytest.mark.parametrize("drawn", [1, 1000, 10**9])
def test_an_interval_does_not_depend_on_how_many_values_are_drawn_at_once(monkeypatch, drawn):
    values = np.random.default_rng(3).lognormal(size=40)
    expected = interquartile_mean_interval(values, np.random.default_rng(7))
    monkeypatch.setattr(interquartile, "DRAWN", drawn)
    assert interquartile_mean_interval(values, np.random.default_rng(7)) == expected
