"""Medians with failed runs counted as worst, and intervals that hold for every distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ganbench.analysis.statistics.medians import median, median_interval


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_of_finite_values_it_is_the_median(values):
    assert median(np.array(values)) == pytest.approx(np.median(values))


def test_failed_runs_count_as_worst():
    assert median(np.array([1.0, 5.0, np.inf])) == 5
    assert math.isnan(median(np.array([1.0, np.inf])))
    assert math.isnan(median(np.array([])))
    assert median_interval(np.array([3.0, 1, 2, np.inf, 5, 4])) == (1, np.inf)


@pytest.mark.parametrize(("count", "rank"), [(6, 1), (8, 1), (9, 2), (10, 2), (12, 3), (15, 4), (20, 6)])
def test_ranks_are_those_of_the_sign_test(count, rank):
    """Published in tables of the sign test, e.g. W. J. Dixon and A. M. Mood (1946), JASA 41."""
    low, high = median_interval(np.random.default_rng(0).permutation(count) + 1.0)
    assert (low, high) == (rank, count + 1 - rank)
    # A bound lies outside where fewer than `rank` of the fair coins fall on its side.
    assert 2 * stats.binom.cdf(rank - 1, count, 0.5) <= 0.05 < 2 * stats.binom.cdf(rank, count, 0.5)
    quantile = stats.quantile_test(np.arange(count) + 1.0).confidence_interval()
    assert (low, high) == (quantile.low, quantile.high)


@pytest.mark.parametrize("count", range(6))
def test_up_to_five_values_have_no_interval(count):
    assert all(map(math.isnan, median_interval(np.arange(float(count)))))
    if count > 1:
        assert 1 - 2.0 ** (1 - count) < 0.95, "how probably all values hold the median"


DISTRIBUTIONS = {
    "normal": stats.norm.ppf,
    "lognormal": stats.lognorm(1).ppf,
    "mixture with failed runs": lambda u: np.where(u > 0.6, np.inf, stats.lognorm(1).ppf(u)),
    "few values": lambda u: np.round(8 * u),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("count", [6, 8, 10, 20])
def test_coverage_of_any_distribution(name, count):
    draw = DISTRIBUTIONS[name]
    truth = draw(np.array(0.5))
    samples = draw(np.random.default_rng(count).random((2000, count)))
    held = np.mean([low <= truth <= high for low, high in map(median_interval, samples)])
    # At least 95%, less four standard errors of 2,000 draws.
    assert held >= 0.95 - 4 * math.sqrt(0.05 * 0.95 / 2000)
