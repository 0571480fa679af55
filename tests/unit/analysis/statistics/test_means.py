"""Differences of means: reference packages, coverage, and error rates of the tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ganbench.analysis.statistics.means import independent_mean_difference, paired_mean_difference


def draws():
    def mixture(generator, size):
        return np.where(generator.random(size) < 0.2, generator.normal(10, 1, size), generator.normal(0, 1, size))

    return {
        "normal": (lambda generator, size: generator.normal(size=size), 0.0),
        "lognormal": (lambda generator, size: generator.lognormal(size=size), math.exp(0.5)),
        "mixture": (mixture, 2.0),
    }


def test_independent_groups_are_compared_as_scipy_does():
    generator = np.random.default_rng(0)
    first, second = generator.normal(2, 3, 12), generator.lognormal(size=7)
    found = independent_mean_difference(first, second)
    for limit in (0.0, 1.5, -3.0):
        reference = stats.ttest_ind(first - limit, second, equal_var=False)
        assert found.p_value(limit) == pytest.approx(max(reference.pvalue, 2 / math.comb(19, 7)))
    bounds = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert found.interval() == pytest.approx((bounds.low, bounds.high))
    assert found.value == pytest.approx(first.mean() - second.mean())
    assert found.pairs == 0


def test_pairs_are_compared_as_scipy_does():
    generator = np.random.default_rng(1)
    first, second = generator.normal(0.3, 1, 15), generator.normal(0, 1, 15)
    found, reference = paired_mean_difference(first, second), stats.ttest_rel(first, second)
    bounds = reference.confidence_interval(0.95)
    assert found.p_value() == pytest.approx(reference.pvalue)
    assert found.interval() == pytest.approx((bounds.low, bounds.high))
    assert found.pairs == 15


@pytest.mark.cluster
@pytest.mark.parametrize("count", [2, 5, 10])
def test_no_test_is_surer_than_a_permutation_test_can_be(count):
    """SciPy deals all signs, or all groups, and counts the deals that are as extreme as the runs."""
    first, second = np.arange(count) * 1e-3 + 9, np.zeros(count)

    def mean_difference(x, y, axis):
        return np.mean(x, axis=axis) - np.mean(y, axis=axis)

    for found, kind in (
        (paired_mean_difference(first, second), "samples"),
        (independent_mean_difference(first, second), "independent"),
    ):
        reference = stats.permutation_test((first, second), mean_difference, permutation_type=kind, n_resamples=np.inf)
        assert found.p_value() == pytest.approx(reference.pvalue)


def test_runs_that_do_not_vary():
    found = paired_mean_difference(np.full(10, 3.0), np.full(10, 2.0))
    assert (found.interval(), found.p_value(), found.p_value(1.0)) == ((1, 1), 2 / 2**10, 1)
    apart = independent_mean_difference(np.full(4, 3.0), np.full(4, 2.0))
    assert (apart.interval(), apart.p_value(1.0)) == ((1, 1), 1)
    assert apart.p_value() == pytest.approx(2 / 70)


@pytest.mark.parametrize(
    ("first", "second", "least"),
    [
        ("normal", "normal", 0.945),
        ("lognormal", "lognormal", 0.96),
        ("mixture", "mixture", 0.95),
        ("normal", "lognormal", 0.90),
        ("normal", "mixture", 0.88),
    ],
)
@pytest.mark.parametrize("compare", [paired_mean_difference, independent_mean_difference])
def test_coverage_of_ten_runs(first, second, least, compare):
    """What the docstring says, less four standard errors of 1,000 draws."""
    (one, mean), (two, other) = draws()[first], draws()[second]
    generator = np.random.default_rng(5)
    bounds = [compare(one(generator, 10), two(generator, 10)).interval() for _ in range(1000)]
    held = np.mean([low <= mean - other <= high for low, high in bounds])
    assert held >= least - 4 * math.sqrt(least * (1 - least) / 1000)


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 5, 8, 10, 20])
@pytest.mark.parametrize("name", ["normal", "lognormal", "mixture"])
@pytest.mark.parametrize("compare", [paired_mean_difference, independent_mean_difference])
def test_groups_of_one_distribution_are_rarely_told_apart(count, name, compare):
    draw, _ = draws()[name]
    generator = np.random.default_rng(count)
    p_values = [compare(draw(generator, count), draw(generator, count)).p_value() for _ in range(1500)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1500)
