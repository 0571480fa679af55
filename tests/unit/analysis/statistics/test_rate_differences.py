"""Tests and intervals of the difference of two rates: published numbers, reference packages, error rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from ganbench.analysis.statistics.rate_differences import independent_difference, paired_difference
from ganbench.analysis.statistics.rates import wilson

pairs_of_runs = st.integers(1, 60).flatmap(
    lambda pairs: st.integers(0, pairs).flatmap(
        lambda first: st.tuples(st.just(first), st.integers(0, pairs - first), st.just(pairs))
    )
)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # R. G. Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_intervals_of_independent_runs_match_published_ones(first, second, low, high):
    found = independent_difference(first, second)
    low = low if found.p_value <= 0.05 else min(low, 0.0)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


def test_independent_runs_are_compared_as_reference_packages_do():
    for first, second in (((1, 20), (7, 20)), ((0, 5), (4, 6)), ((12, 27), (10, 27)), ((0, 10), (10, 10))):
        found = independent_difference(first, second)
        mirrored = independent_difference(second, first)
        assert (mirrored.value, mirrored.low, mirrored.high) == pytest.approx((-found.value, -found.high, -found.low))
        assert mirrored.p_value == pytest.approx(found.p_value, abs=1e-9)
        reference = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
        assert (found.low, found.high) == pytest.approx(reference, abs=1e-9)
        table = [[first[0], second[0]], [first[1] - first[0], second[1] - second[0]]]
        assert found.p_value == pytest.approx(stats.barnard_exact(table).pvalue)
        assert found.p_value <= stats.fisher_exact(table)[1]
    same = independent_difference((3, 9), (1, 3))
    assert (same.value, same.p_value, same.pairs) == (0, 1, 0)


def test_overlapping_intervals_are_no_test():
    one, two = wilson(1, 20), wilson(7, 20)
    assert one.upper > two.lower
    assert independent_difference((1, 20), (7, 20)).p_value == pytest.approx(0.0216, abs=5e-5)


@given(pairs_of_runs)
def test_pairs_are_compared_by_the_exact_test_of_mcnemar(counts):
    first, second, pairs = counts
    found, mirrored = paired_difference(first, second, pairs), paired_difference(second, first, pairs)
    assert found.p_value == pytest.approx(
        mcnemar([[0, first], [second, 0]], exact=True).pvalue if first + second else 1
    )
    assert found.value == (first - second) / pairs
    assert -1 <= found.low <= found.high <= 1
    assert (mirrored.low, mirrored.high, mirrored.p_value) == pytest.approx((-found.high, -found.low, found.p_value))


def test_pairs_that_agree_say_nothing_of_the_difference():
    assert paired_difference(0, 0, 7).p_value == 1
    few, many = paired_difference(6, 0, 6), paired_difference(6, 0, 60)
    assert few.p_value == many.p_value == 2 / 2**6
    for wrong in ((3, 3, 5), (-1, 0, 4), (0, 0, 0)):
        with pytest.raises(ValueError, match="expected at least one pair"):
            paired_difference(*wrong)


@given(pairs_of_runs)
def test_an_interval_never_says_more_than_the_test(counts):
    for confidence in (0.95, 0.99):
        found = paired_difference(*counts, confidence=confidence)
        assert found.p_value <= 1 - confidence or found.low <= 0 <= found.high
    few = independent_difference((2, 2), (0, 2))
    assert (few.p_value, few.low) == (pytest.approx(0.125), 0)


@pytest.mark.parametrize("pairs", [5, 10, 20])
@pytest.mark.parametrize("shares", [(0.1, 0.1), (0.3, 0.3), (0.4, 0.1), (0.05, 0.0)])
def test_errors_of_paired_comparisons_over_all_outcomes(pairs, shares):
    """The probability of every outcome is known, so that coverage and level are exact: no draws are needed."""
    level = covered = 0.0
    for first in range(pairs + 1):
        for second in range(pairs + 1 - first):
            counts = [first, second, pairs - first - second]
            weight = stats.multinomial.pmf(counts, pairs, [*shares, 1 - sum(shares)])
            found = paired_difference(first, second, pairs)
            level += weight * (found.p_value <= 0.05)
            covered += weight * (found.low <= shares[0] - shares[1] <= found.high)
    assert shares[0] != shares[1] or level <= 0.05
    assert covered >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize(("runs", "rate"), [((5, 5), 0.3), ((10, 10), 0.1), ((10, 10), 0.5), ((8, 20), 0.3)])
def test_errors_of_independent_comparisons_over_all_outcomes(runs, rate):
    level = covered = 0.0
    for first in range(runs[0] + 1):
        for second in range(runs[1] + 1):
            weight = stats.binom.pmf(first, runs[0], rate) * stats.binom.pmf(second, runs[1], rate)
            found = independent_difference((first, runs[0]), (second, runs[1]))
            level += weight * (found.p_value <= 0.05)
            covered += weight * (found.low <= 0 <= found.high)
    assert level <= 0.05 + 1e-6
    assert covered >= 0.94


def test_pairs_find_what_independent_runs_do_not():
    """Half of the settings fail always and half never, but for one run in ten that a method saves."""
    generator = np.random.default_rng(0)
    hard = generator.random(100) < 0.5
    saved = hard & (generator.random(100) < 0.25)
    first, second = int(hard.sum()), int((hard & ~saved).sum())
    assert paired_difference(int(saved.sum()), 0, 100).p_value < 0.01
    assert independent_difference((first, 100), (second, 100)).p_value > 0.05
