"""Intervals of rates and tests against a limit: closed forms, published numbers, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ganbench.analysis.statistics.rates import exact_interval, rate_test, wilson


def counts() -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(1, 400).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(counts())
def test_wilson_bounds_solve_its_quadratic(pair):
    # |p̂ - p| = z sqrt(p (1 - p) / n), squared: (1 + z²/n) p² - (2 p̂ + z²/n) p + p̂² = 0.
    count, total = pair
    z, share = stats.norm.ppf(0.975), count / total
    roots = np.sort(np.roots([1 + z**2 / total, -(2 * share + z**2 / total), share**2]).real)
    rate = wilson(count, total)
    # Near a double root the solver loses half of its digits.
    assert [rate.lower, rate.upper] == pytest.approx(roots, abs=1e-6)
    assert 0 <= rate.lower <= rate.value <= rate.upper <= 1


@pytest.mark.parametrize(
    ("count", "total", "lower", "upper", "exact"),
    [
        # R. G. Newcombe (1998), Statistics in Medicine 17, table I, method 3 (score, no continuity correction) and
        # method 5 (Clopper and Pearson).
        (81, 263, 0.2553, 0.3662, (0.2527, 0.3676)),
        (15, 148, 0.0624, 0.1605, (0.0578, 0.1617)),
        (0, 20, 0.0000, 0.1611, (0.0000, 0.1684)),
        (1, 29, 0.0061, 0.1718, (0.0009, 0.1776)),
    ],
)
def test_intervals_match_published_ones(count, total, lower, upper, exact):
    rate = wilson(count, total)
    assert rate.lower == pytest.approx(lower, abs=5.1e-5)
    assert rate.upper == pytest.approx(upper, abs=5.1e-5)
    assert exact_interval(count, total) == pytest.approx(exact, abs=5.1e-5)


@given(counts())
def test_intervals_treat_success_and_failure_alike(pair):
    count, total = pair
    rate, mirrored = wilson(count, total), wilson(total - count, total)
    assert rate.lower == pytest.approx(1 - mirrored.upper, abs=1e-12)
    low, high = exact_interval(count, total)
    assert exact_interval(total - count, total) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_no_runs_say_nothing():
    rate = wilson(0, 0)
    assert (rate.lower, rate.upper) == exact_interval(0, 0) == (0, 1)
    assert math.isnan(rate.value)
    assert rate_test(0, 0, 0.5) == (1.0, 1.0)
    for function in (wilson, exact_interval, lambda count, total: rate_test(count, total, 0.5)):
        with pytest.raises(ValueError, match="between 0 and total, got 3 and 0 unknown of 2"):
            function(3, 2)


@given(counts(), st.floats(0.001, 0.999))
def test_a_test_rejects_what_the_exact_interval_leaves_out(pair, limit):
    low, high = exact_interval(*pair)
    above, below = rate_test(*pair, limit)
    if abs(limit - low) > 1e-9 and abs(limit - high) > 1e-9:
        assert (above <= 0.05) == (limit < low)
        assert (below <= 0.05) == (limit > high)


def test_a_test_is_twice_scipy_s_one_sided_test():
    for count, total, limit in ((0, 8, 0.3), (5, 20, 0.1), (20, 20, 0.8), (3, 10, 0.3)):
        above, below = (
            2 * stats.binomtest(count, total, limit, alternative=side).pvalue for side in ("greater", "less")
        )
        assert rate_test(count, total, limit) == pytest.approx((min(1, above), min(1, below)), rel=1e-12)


@pytest.mark.parametrize("total", [3, 5, 8, 10, 20])
def test_coverage_is_what_it_is_said_to_be(total):
    """The probability that an interval holds the rate, summed over all counts, for a thousand rates."""
    rates = np.linspace(0.0005, 0.9995, 1000)
    wilsons, exact = np.zeros(1000), np.zeros(1000)
    for count in range(total + 1):
        weight, rate, (low, high) = (
            stats.binom.pmf(count, total, rates),
            wilson(count, total),
            exact_interval(count, total),
        )
        wilsons += weight * ((rate.lower <= rates) & (rates <= rate.upper))
        exact += weight * ((low <= rates) & (rates <= high))
    assert 0.95 <= wilsons.mean() <= 0.96
    assert wilsons.min() >= 0.82
    assert exact.min() >= 0.95


def test_observations_that_are_not_known_count_both_ways():
    rate, none, every = wilson(2, 10, unknown=3), wilson(2, 10), wilson(5, 10)
    assert (rate.lower, rate.upper) == (none.lower, every.upper)
    assert exact_interval(2, 10, unknown=3) == (exact_interval(2, 10)[0], exact_interval(5, 10)[1])
    assert rate_test(2, 10, 0.9, unknown=3)[1] == rate_test(5, 10, 0.9)[1]
    assert rate_test(2, 10, 0.01, unknown=3)[0] == rate_test(2, 10, 0.01)[0]
    assert math.isnan(rate.value)
    with pytest.raises(ValueError, match="8 and 3 unknown of 10"):
        wilson(8, 10, unknown=3)
