"""Probabilities of improvement and profiles: closed forms, rliable, failed runs, and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from ganbench.analysis.statistics.improvement import (
    performance_profile,
    permutation_test,
    probability_of_improvement,
    profile_interval,
)
from ganbench.analysis.statistics.rates import exact_interval

# Scores of seven and of five runs at four settings, larger is better; what rliable 1.2.0 gives for them.
FIRST = np.array(
    [
        *([0.4, 0.2, 0.9, 0.4], [-0.2, 0.7, 1.6, 1.2], [-0.4, -1.0, -0.3, 0.3], [-2.0, 0.1, -0.9, -0.4]),
        *([-0.2, 0.0, 0.7, 1.3], [0.2, 1.7, -0.4, 0.7], [1.2, 0.4, -0.4, -0.6]),
    ]
)
SECOND = np.array(
    [
        *([-0.5, 0.2, -1.0, -0.2], [-0.2, 0.5, 0.2, 0.4], [-0.7, -0.1, 0.8, 1.5], [-1.3, 1.5, 1.3, 0.8]),
        [0.3, -0.3, 1.5, 2.0],
    ]
)
RLIABLE_IMPROVEMENT = 0.4785714285714286
RLIABLE_PROFILE = [
    0.9642857142857143,
    0.9642857142857143,
    0.9285714285714286,
    0.8571428571428571,
    0.5714285714285714,
    0.32142857142857145,
    0.17857142857142858,
    0.07142857142857142,
    0.0,
]


def losses(scores: np.ndarray) -> list[np.ndarray]:
    return list(-scores.T)


def test_it_is_that_of_rliable():
    found = probability_of_improvement(losses(FIRST), losses(SECOND))
    assert found.value == pytest.approx(RLIABLE_IMPROVEMENT, rel=1e-12)
    assert found.settings == 4
    # rliable counts scores above a threshold; losses count at most one, so that ties are moved.
    thresholds = np.linspace(-2, 2, 9)
    assert performance_profile(losses(FIRST), -thresholds - 1e-9) == pytest.approx(RLIABLE_PROFILE)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_at_one_setting_it_is_the_statistic_of_mann_and_whitney(first, second):
    one, two = np.array(first, dtype=float), np.array(second, dtype=float)
    statistic = stats.mannwhitneyu(-one, -two, method="asymptotic").statistic if len({*first, *second}) > 1 else None
    found, mirrored = probability_of_improvement([one], [two]), probability_of_improvement([two], [one])
    expected = 0.5 if statistic is None else statistic / (len(first) * len(second))
    assert found.value == pytest.approx(expected)
    assert mirrored.value == pytest.approx(1 - found.value)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low))
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(st.permutations(range(10)), st.integers(1, 9))
def test_at_one_setting_the_test_is_that_of_mann_and_whitney(values, count):
    one, two = np.array(values[:count], dtype=float), np.array(values[count:], dtype=float)
    test = permutation_test([one], [two])
    assert test.p_value == pytest.approx(stats.mannwhitneyu(one, two, method="exact").pvalue)
    assert test.p_value >= test.min_p_value - 1e-12


def test_failed_runs_are_the_worst_and_are_never_dropped():
    good, failing = np.array([5.0, 6.0, 7.0]), np.array([1.0, np.inf, np.inf])
    assert probability_of_improvement([good], [failing]).value == pytest.approx(2 / 3)
    none = np.full(3, np.inf)
    assert probability_of_improvement([none], [none]).value == 0.5
    assert probability_of_improvement([none], [good]).value == 0
    assert performance_profile([failing], np.array([0.0, 1.0, 1e9])) == pytest.approx([0, 1 / 3, 1 / 3])


def test_settings_count_alike_whatever_their_number_of_runs():
    won, lost = (np.zeros(9), np.ones(9)), (np.ones(3), np.zeros(3))
    found = probability_of_improvement([won[0], lost[0]], [won[1], lost[1]])
    assert found.value == 0.5
    assert performance_profile([np.zeros(9), np.ones(3)], np.array([0.5])) == [0.5]


def test_of_equal_numbers_of_runs_the_interval_is_that_of_a_share():
    """Where one method wins every time, it is that of as many wins as runs; a bootstrap has no width there."""
    ends, seeds = ([np.zeros(5), np.zeros(5)], [np.ones(5), np.ones(5)]), [range(5), range(5)]
    found, test, apart = (
        probability_of_improvement(*ends),
        permutation_test(*ends, (seeds, seeds)),
        permutation_test(*ends),
    )
    assert (found.low, found.high) == pytest.approx(exact_interval(10, 10))
    assert test.p_value == test.min_p_value == pytest.approx(2 / math.comb(10, 5)), "five seeds each, not ten runs"
    assert apart.p_value == apart.min_p_value == pytest.approx(1 / 10_000), "drawn from 252^2 ways"


@pytest.mark.parametrize(("settings", "shared"), [(1, 0.0), (3, 0.6)])
def test_equal_methods_are_told_apart_in_one_of_twenty_studies(settings, shared):
    """Also where the luck of a seed is the same at all settings, which runs as units would take for evidence."""
    generator, seeds = np.random.default_rng(3), [range(6)] * settings
    p_values = []
    for _ in range(300):
        luck = math.sqrt(shared) * generator.normal(size=(2, 1, 6))
        first, second = luck + math.sqrt(1 - shared) * generator.normal(size=(2, settings, 6))
        p_values.append(permutation_test(list(first), list(second), (seeds, seeds)).p_value)
    for level in (0.05, 0.2):
        assert np.mean(np.array(p_values) <= level) <= level + 3 * math.sqrt(level * (1 - level) / 300)
    assert np.mean(np.array(p_values) <= 0.2) > 0.1


def test_seeds_are_dealt_among_those_with_runs_at_the_same_settings():
    """Two seeds of each method at the first setting alone, one of each at both: 4 choose 2, times 2, ways."""
    first, second = [np.array([1.0, 2, 3]), np.array([1.0])], [np.array([4.0, 5, 6]), np.array([2.0])]
    seeds = [[0, 1, 2], [2]]
    test = permutation_test(first, second, (seeds, seeds))
    assert test.p_value == test.min_p_value == pytest.approx(2 / 12)


@pytest.mark.parametrize("settings", [1, 2, 4, 7])
@pytest.mark.parametrize("won", range(8))
def test_with_one_run_per_setting_it_is_the_exact_sign_test(settings, won):
    won = min(won, settings)
    first, second = np.where(np.arange(settings) < won, 0.0, 2.0)[:, None], np.ones((settings, 1))
    found = probability_of_improvement(list(first), list(second))
    assert permutation_test(list(first), list(second)).p_value == pytest.approx(stats.binomtest(won, settings).pvalue)
    assert (found.low, found.high) == pytest.approx(exact_interval(won, settings))


FEW = [(settings, runs, good) for settings, runs in ((1, 2), (12, 1), (2, 10)) for good in (0.1, 0.5)]
MORE = [
    (settings, runs, good)
    for settings, runs in ((1, 2), (1, 4), (2, 2), (4, 1), (6, 1), (12, 1), (3, 4), (2, 10))
    for good in (0.1, 0.3, 0.5, 0.85)
    if (settings, runs, good) not in FEW
]


@pytest.mark.parametrize(
    ("settings", "runs", "good"), [*FEW, *(pytest.param(*each, marks=pytest.mark.slow) for each in MORE)]
)
def test_coverage_against_a_method_that_always_scores_the_same(settings, runs, good):
    """Runs that are either good or failed vary most; a few score the same as the other method."""
    generator = np.random.default_rng(11)
    kinds, ties = np.array([0.0, np.inf, 1.0]), 0.05
    held = []
    for _ in range(400):
        first = kinds[generator.choice(3, size=(settings, runs), p=[good, 1 - ties - good, ties])]
        found = probability_of_improvement(list(first), list(np.ones((settings, runs))))
        held.append(found.low <= good + ties / 2 <= found.high)
    assert np.mean(held) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("runs", [3, 20, *(pytest.param(runs, marks=pytest.mark.slow) for runs in (5, 10))])
@pytest.mark.parametrize("shift", [0.0, 1.5, pytest.param(0.5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("settings", [1, 4])
def test_coverage_with_failed_runs(runs, shift, settings):
    """Both methods fail in a tenth of their runs; of the others, the first is better by a shift."""
    generator = np.random.default_rng(runs)
    beats = stats.norm.cdf(shift / math.sqrt(2))
    truth = 0.81 * beats + 0.09 + 0.01 / 2
    held = []
    for _ in range(300):
        first, second = generator.normal(size=(2, settings, runs)) - np.array([shift, 0])[:, None, None]
        first[generator.random(first.shape) < 0.1] = np.inf
        second[generator.random(second.shape) < 0.1] = np.inf
        found = probability_of_improvement(list(first), list(second))
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.95 - 4 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize("runs", [(1, 1, *[10] * 8), (1, 1, *[20] * 18), (2, 2, 2, 2, 20, 20)])
def test_coverage_where_the_settings_with_few_runs_decide(runs):
    """At these, one method is good in every second run, and at the others in all of them."""
    generator = np.random.default_rng(13)
    chances = np.where(np.array(runs) == min(runs), 0.5, 1.0)
    truth, held = chances.mean(), []
    for _ in range(150):
        first = [
            np.where(generator.random(count) < chance, 0.0, np.inf) for count, chance in zip(runs, chances, strict=True)
        ]
        found = probability_of_improvement(first, [np.ones(count) for count in runs])
        (low,), (high,) = profile_interval(performance_profile(first, np.ones(1)), first)
        held.append((found.low <= truth <= found.high, low <= truth <= high))
    assert (np.mean(held, axis=0) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 150)).all()


def test_the_interval_of_a_profile_is_wilson_s():
    """Of one setting, that of its runs; of settings of three and of five runs, that of six."""
    thresholds = np.array([-1.0, 0.5, 2.5, 9.0])
    for losses, runs in (([np.arange(8.0)], 8), ([np.arange(3.0), np.array([0.0, 1, 2, 7, np.inf])], 6)):
        shares = performance_profile(losses, thresholds)
        expected = proportion_confint(runs * shares, runs, method="wilson")
        np.testing.assert_allclose(profile_interval(shares, losses), expected, rtol=0, atol=1e-12)
        assert shares[0] == 0


def test_no_larger_number_of_runs_bounds_the_variance_for_all_probabilities():
    """A variance of p (1 - p) / N: N is never less than the number of settings times their fewest runs, nor more in the
    limit."""
    runs = np.array([3, 5, 40])
    generator = np.random.default_rng(14)
    number = probability_of_improvement([np.zeros(count) for count in runs], [np.ones(50)] * 3).runs
    lost = [*generator.random((200, 3)), np.array([1e-6, 0, 0])]
    least = [q.mean() * (1 - q.mean()) / ((q * (1 - q) / runs).sum() / 9) for q in lost]
    assert number == 9
    assert min(least) == least[-1] == pytest.approx(number, rel=1e-5)


def test_a_profile_is_the_distribution_of_scores():
    generator = np.random.default_rng(0)
    thresholds = np.linspace(-2, 2, 11)
    found = performance_profile([generator.normal(size=4000) for _ in range(3)], thresholds)
    assert found == pytest.approx(stats.norm.cdf(thresholds), abs=0.02)


def test_settings_must_be_those_of_both():
    for first, second in (([], []), ([np.ones(2)], [np.ones(0)])):
        with pytest.raises(ValueError, match="one setting or more, with runs of both"):
            probability_of_improvement(first, second)
    with pytest.raises(ValueError, match="shorter"):
        probability_of_improvement([np.ones(2)], [])
