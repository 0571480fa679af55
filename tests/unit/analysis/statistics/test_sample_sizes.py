"""Numbers of runs that would decide: textbook tables, reference packages, and the power that they give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from ganbench.analysis.statistics.improvement import permutation_test
from ganbench.analysis.statistics.means import independent_mean_difference, paired_mean_difference
from ganbench.analysis.statistics.rate_differences import independent_difference, paired_difference
from ganbench.analysis.statistics.rates import rate_test
from ganbench.analysis.statistics.sample_sizes import (
    MAX_RUNS,
    POWER,
    enough,
    pairs_for_two_rates,
    runs_for_improvement,
    runs_for_mean,
    runs_for_rate,
    runs_for_two_rates,
)


@pytest.mark.parametrize("effect", [0.2, 0.5, 0.8, 1.5])
def test_means_are_those_of_cohen_s_tables(effect):
    """J. Cohen (1988), table 2.4.1, at 5% in both directions: 393, 64 and 26 of either group."""
    found = runs_for_mean(effect, math.sqrt(2), paired=False)
    assert found == math.ceil(TTestIndPower().solve_power(effect, power=POWER, alpha=0.05))
    assert {0.2: 394, 0.5: 64, 0.8: 26}.get(effect, found) == found
    assert runs_for_mean(effect, 1, paired=True) == math.ceil(TTestPower().solve_power(effect, power=POWER, alpha=0.05))
    assert runs_for_mean(-3 * effect, 3, paired=True) == runs_for_mean(effect, 1, paired=True)


def test_two_rates_are_those_of_fleiss():
    """J. L. Fleiss et al. (2003), section 4.2: without a correction for continuity."""
    z, power = stats.norm.ppf(0.975), stats.norm.ppf(0.8)
    expected = (z * math.sqrt(2 * 0.35 * 0.65) + power * math.sqrt(0.2 * 0.8 + 0.5 * 0.5)) ** 2 / 0.3**2
    assert runs_for_two_rates(0.2, 0.5) == math.ceil(expected) == 39
    assert runs_for_two_rates(0.5, 0.2) == runs_for_two_rates(0.8, 0.5) == 39


def test_groups_that_differ_most_need_what_the_exact_test_needs():
    assert runs_for_two_rates(0.0, 1.0) == 3
    p_values = [independent_difference((0, runs), (runs, runs)).p_value for runs in (2, 3)]
    assert p_values == pytest.approx([2 / 4**2, 2 / 4**3])


@pytest.mark.parametrize(("share", "limit"), [(0.25, 0.1), (0.7, 0.5), (0.0, 0.1), (1.0, 0.5), (0.95, 0.9)])
def test_one_rate_is_told_from_its_limit_by_as_many_runs(share, limit):
    """Power of the test itself, summed over all counts; one run less has too little."""

    def power(runs: int) -> float:
        side = int(share < limit)
        found = [rate_test(count, runs, limit)[side] <= 0.05 for count in range(runs + 1)]
        return float(np.array(found) @ stats.binom.pmf(range(runs + 1), runs, share))

    runs = runs_for_rate(share, limit)
    assert power(runs) >= POWER > power(runs - 1)
    assert all(power(more) >= POWER for more in (runs + 1, runs + 7, 2 * runs))


@pytest.mark.parametrize("shares", [(0.3, 0.1), (0.5, 0.0), (1.0, 0.0), (0.05, 0.25)])
def test_two_rates_are_told_apart_by_as_many_pairs(shares):
    """Power of the test itself, summed over all pairs of counts."""
    first, second = shares

    def power(pairs: int) -> float:
        total = 0.0
        for one in range(pairs + 1):
            others = np.arange(pairs + 1 - one)
            counts = np.stack([np.full(len(others), one), others, pairs - one - others], axis=1)
            weights = stats.multinomial.pmf(counts, pairs, [first, second, 1 - first - second])
            kept = np.flatnonzero(weights > 1e-9)
            total += sum(weights[k] for k in kept if paired_difference(one, int(others[k]), pairs).p_value <= 0.05)
        return total

    pairs = pairs_for_two_rates(first, second)
    assert power(pairs) >= POWER - 1e-6
    assert power(pairs - 1) < POWER


@pytest.mark.parametrize(("first", "second"), [(0.1, 0.5), (0.2, 0.9)])
def test_two_rates_are_told_apart_by_as_many_independent_runs(first, second):
    """The formula is that of an approximation: the exact test has about the same power."""
    runs = runs_for_two_rates(first, second)
    assert 0.7 <= barnard_power(first, second, runs) <= 0.92


def barnard_power(first: float, second: float, runs: int) -> float:
    total = 0.0
    for one in range(runs + 1):
        for two in range(runs + 1):
            weight = stats.binom.pmf(one, runs, first) * stats.binom.pmf(two, runs, second)
            if weight > 1e-4:
                total += weight * (independent_difference((one, runs), (two, runs)).p_value <= 0.05)
    return total


@pytest.mark.parametrize(("difference", "deviations"), [(1.5, (1.0, 1.0)), (1.0, (0.3, 1.2))])
@pytest.mark.parametrize("paired", [True, False])
def test_means_are_told_apart_by_as_many_runs(difference, deviations, paired):
    std = math.hypot(*deviations)
    runs = runs_for_mean(difference, std, paired=paired)
    compare = paired_mean_difference if paired else independent_mean_difference
    generator = np.random.default_rng(0)
    first, second = (
        generator.normal(mean, sd, (800, runs)) for mean, sd in zip((difference, 0), deviations, strict=True)
    )
    found = [compare(one, two).p_value() <= 0.05 for one, two in zip(first, second, strict=True)]
    assert np.mean(found) == pytest.approx(POWER, abs=0.06 + 4 * math.sqrt(0.16 / 800))


@pytest.mark.parametrize(("shift", "settings"), [(0.8, 1), (0.8, 3)])
def test_scores_are_told_apart_by_as_many_runs(shift, settings):
    """Normal values that differ by a shift in standard deviations."""
    generator, better = np.random.default_rng(0), float(stats.norm.cdf(shift / math.sqrt(2)))
    runs = runs_for_improvement(better, settings)
    seeds, told = [range(runs)] * settings, []
    for _ in range(150):
        first, second = generator.normal(size=(2, settings, runs))
        told.append(permutation_test(list(first - shift), list(second), (seeds, seeds)).p_value <= 0.05)
    assert np.mean(told) == pytest.approx(0.8, abs=3 * math.sqrt(0.16 / 150))
    assert runs_for_improvement(1.0, 10) == 4, "three of each have no p-value below 2 / 20"
    assert runs_for_improvement(0.5, 1) is None


def test_a_stricter_level_needs_more():
    assert runs_for_rate(0.7, 0.5, level=0.005) > runs_for_rate(0.7, 0.5)
    assert runs_for_two_rates(0.2, 0.5, level=0.005) > 39
    assert pairs_for_two_rates(0.3, 0.1, level=0.005) > pairs_for_two_rates(0.3, 0.1)
    assert runs_for_mean(0.5, 1, paired=True, level=0.005) > runs_for_mean(0.5, 1, paired=True)


def test_no_number_of_runs_finds_what_is_not_there():
    assert runs_for_rate(0.5, 0.5) is runs_for_two_rates(0.5, 0.5) is None
    assert pairs_for_two_rates(0.2, 0.2) is runs_for_mean(0.0, 1.0, paired=True) is None
    assert runs_for_rate(0.5, 0.5001) is runs_for_two_rates(0.5, 0.5001) is None
    assert pairs_for_two_rates(0.2, 0.2001) is runs_for_mean(0.0001, 1.0, paired=False) is None
    assert (runs_for_mean(1.0, 0.0, paired=True), runs_for_mean(1.0, 0.0, paired=False)) == (6, 4)
    assert enough(None, 10, "pairs") == f"more than {MAX_RUNS:,} pairs"
    assert enough(1200, 10, "runs of each") == "about 1,200 runs of each (1,190 more)"
    assert enough(9, 10, "pairs") == "about 9 pairs"
