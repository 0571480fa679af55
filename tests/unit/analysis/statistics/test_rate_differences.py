"""Tests and intervals of the difference of two rates: published numbers, reference packages, error rates."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable, mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from ganbench.analysis.statistics.rate_differences import (
    independent_difference,
    paired_difference,
    stratified_difference,
)
from ganbench.analysis.statistics.rates import wilson
from ganbench.analysis.statistics.survival import log_rank

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
        assert found.p_value <= stats.fisher_exact(table)[1]
    same = independent_difference((3, 9), (1, 3))
    assert (same.value, same.p_value, same.pairs) == (0, 1, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, 1), (0, 1)),
        ((1, 20), (7, 20)),
        ((6, 10), (3, 10)),  # sizes alike
        ((4, 5), (5, 10)),  # and not, where rounding loses tied tables: here, and in all of the following
        ((3, 3), (3, 9)),
        ((4, 4), (2, 6)),
        ((0, 4), (7, 12)),
        ((4, 5), (4, 15)),
        ((8, 11), (5, 15)),
    ],
)
def test_barnards_test_counts_all_tables_that_tie(first, second):
    """Every table is ranked by its statistic as a fraction, and its probability is that of a dense grid of rates."""
    (x, n), (y, m) = first, second
    every = [(i, j) for i in range(n + 1) for j in range(m + 1)]
    squared = {
        (i, j): Fraction((i * m - j * n) ** 2, (i + j) * (n + m - i - j)) if 0 < i + j < n + m else Fraction(0)
        for i, j in every
    }
    rates = np.linspace(0, 1, 2001)
    extreme = [each for each in every if squared[each] >= squared[first[0], second[0]]]
    expected = sum(stats.binom.pmf(i, n, rates) * stats.binom.pmf(j, m, rates) for i, j in extreme).max()
    alike = (
        (first, second),
        (second, first),  # groups swapped
        ((n - x, n), (m - y, m)),  # failures called successes
    )
    for pair in alike:
        assert independent_difference(*pair).p_value == pytest.approx(expected, rel=1e-5)


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


@pytest.mark.parametrize(
    ("runs", "rate"),
    [
        ((5, 5), 0.3),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in [((10, 10), 0.1), ((10, 10), 0.5), ((8, 20), 0.3)]),
    ],
)
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


# Within strata

UNEVEN = (((2, 2), (10, 10)), ((0, 10), (0, 2)))  # all runs fail at the first setting, and none at the second


def test_groups_that_fail_alike_at_every_setting_do_not_differ_however_many_runs_they_have_there():
    assert independent_difference((2, 12), (10, 12)).p_value < 0.002
    found = stratified_difference(UNEVEN)
    assert (found.value, found.strata, found.pairs) == (0, 2, 0)
    assert found.p_value == pytest.approx(1)
    assert found.rates == (0.5, 0.5), "both settings have the weight 20 / 12"
    assert found.low == -found.high < 0


def test_the_difference_within_strata_is_weighted_by_what_each_tells_of_it():
    """Weights 3 * 6 / 9 = 2 and 2 * 2 / 4 = 1, differences 2/3 - 1/6 = 1/2 and 1/2 - 1 = -1/2."""
    strata = (((2, 3), (1, 6)), ((1, 2), (2, 2)))
    found, mirrored = stratified_difference(strata), stratified_difference([(two, one) for one, two in strata])
    assert found.value == pytest.approx(2 / 3 * 1 / 2 - 1 / 3 * 1 / 2)
    assert found.rates == pytest.approx((2 / 3 * 2 / 3 + 1 / 3 * 1 / 2, 2 / 3 * 1 / 6 + 1 / 3 * 1))
    assert (mirrored.value, mirrored.p_value) == pytest.approx((-found.value, found.p_value))
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_the_test_within_strata_counts_all_ways_to_deal_their_runs():
    strata = [((2, 3), (1, 5)), ((3, 4), (0, 2)), ((1, 1), (1, 2))]
    sums, seen = [], sum(one for (one, _), _ in strata)
    dealt = [list(combinations([1] * (one + two) + [0] * (n + m - one - two), n)) for (one, n), (two, m) in strata]
    for groups in product(*dealt):
        sums.append(sum(map(sum, groups)))
    away = np.abs(np.array(sums) - np.mean(sums))
    expected = np.mean(away >= abs(seen - np.mean(sums)) - 1e-9)
    assert stratified_difference(strata).p_value == pytest.approx(expected)
    # The log-rank test of runs that all fail at one step is the same test, by other means.
    failed = np.concatenate(
        [[1] * one + [0] * (n - one) + [1] * two + [0] * (m - two) for (one, n), (two, m) in strata]
    )
    groups = np.concatenate([[0] * n + [1] * m for (_, n), (_, m) in strata])
    layer = np.repeat([0, 1, 2], [n + m for (_, n), (_, m) in strata])
    assert log_rank(np.where(failed, 5, 9), failed, groups, layer) == pytest.approx(expected)


def test_of_many_runs_it_is_the_test_of_cochran_mantel_and_haenszel():
    strata = [((60, 200), (90, 250)), ((40, 150), (30, 80)), ((100, 120), (260, 300))]
    tables = [np.array([[one, n - one], [two, m - two]]) for (one, n), (two, m) in strata]
    least, most = (StratifiedTable(tables).test_null_odds(correction=each).pvalue for each in (False, True))
    assert least < stratified_difference(strata).p_value < most, "of the normal law, with and without a correction"
    assert most < 1.3 * least


@settings(max_examples=20)
@given(pairs_of_runs)
def test_one_run_of_each_per_stratum_is_a_pair(counts):
    first, second, pairs = counts
    strata = [((1, 1), (0, 1))] * first + [((0, 1), (1, 1))] * second + [((1, 1), (1, 1))] * (pairs - first - second)
    found, expected = stratified_difference(strata), paired_difference(first, second, pairs)
    assert (found.value, found.p_value) == pytest.approx((expected.value, expected.p_value))


@settings(max_examples=20)
@given(st.tuples(st.integers(0, 9), st.integers(9, 20)), st.tuples(st.integers(0, 7), st.integers(7, 20)))
def test_one_stratum_has_the_interval_of_independent_runs_and_fishers_test_at_equal_numbers(first, second):
    found, expected = stratified_difference([(first, second)]), independent_difference(first, second)
    assert found.value == pytest.approx(expected.value)
    assert found.rates == pytest.approx(expected.rates)
    if (found.p_value <= 0.05) == (expected.p_value <= 0.05):
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.p_value <= 0.05 or found.low <= 0 <= found.high
    alike = (second[0], first[1])
    table = [[first[0], first[1] - first[0]], [alike[0], alike[1] - alike[0]]]
    assert stratified_difference([(first, alike)]).p_value == pytest.approx(stats.fisher_exact(table)[1])


@pytest.mark.parametrize("wrong", [[], [((0, 0), (1, 2))], [((3, 2), (1, 2))], [((-1, 2), (1, 2))]])
def test_strata_need_runs_of_both_groups(wrong):
    with pytest.raises(ValueError, match="expected strata with runs of both groups"):
        stratified_difference(wrong)


@pytest.mark.parametrize(
    ("runs", "rates"),
    [
        (((2, 6), (6, 2)), ((0.9, 0.9), (0.1, 0.1))),
        pytest.param(((5, 5), (5, 4)), ((0.3, 0.3), (0.3, 0.3)), marks=pytest.mark.slow),
        pytest.param(((5, 5), (5, 4)), ((0.9, 0.5), (0.5, 0.1)), marks=pytest.mark.slow),
    ],
)
def test_errors_of_comparisons_within_strata_over_all_outcomes(runs, rates):
    level = covered = 0.0
    weights = np.array([n * m / (n + m) for n, m in runs])
    truth = float(weights @ [one - two for one, two in rates] / weights.sum())
    sizes, chances = ([each for pair in pairs for each in pair] for pairs in (runs, rates))
    pmfs = [stats.binom.pmf(np.arange(size + 1), size, rate) for size, rate in zip(sizes, chances, strict=True)]
    for counts in product(*(range(size + 1) for size in sizes)):
        weight = np.prod([pmf[count] for pmf, count in zip(pmfs, counts, strict=True)])
        groups = list(zip(counts, sizes, strict=True))
        found = stratified_difference(list(zip(groups[::2], groups[1::2], strict=True)))
        level += weight * (found.p_value <= 0.05)
        covered += weight * (found.low <= truth <= found.high)
    assert truth or level <= 0.05 + 1e-6
    assert covered >= 0.94
