"""Shares of runs of which some have one seed: the binomial test where none has, and its promise where they do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ganbench.analysis.statistics.clustered_rates import seed_rate
from ganbench.analysis.statistics.rates import exact_interval, rate_test


@pytest.mark.parametrize("runs", [1, 2, 9, 30])
def test_of_runs_with_a_seed_each_it_is_the_binomial_test(runs):
    for count in range(runs + 1):
        found = seed_rate(np.arange(runs) < count, np.arange(runs))
        assert found.interval() == pytest.approx(exact_interval(count, runs), rel=1e-9)
        for limit in (0.1, 0.5, 0.9):
            assert found.p_values(limit) == pytest.approx(rate_test(count, runs, limit), rel=1e-9)


def test_of_runs_that_are_alike_only_their_seeds_count():
    for count in range(11):
        found = seed_rate(np.repeat(np.arange(10) < count, 4), np.repeat(np.arange(10), 4))
        assert found.interval() == pytest.approx(exact_interval(count, 10), rel=1e-9)
        assert found.seeds == 10
        assert found.p_values(0.3) == pytest.approx(rate_test(count, 10, 0.3))


def test_where_seeds_scatter_no_more_than_runs_would_they_count_for_nearly_all_of_these():
    events = np.random.default_rng(1).random(400) < 0.4
    found = seed_rate(events, np.arange(400) % 40)
    assert 300 < found.runs <= 400
    assert found.share == events.mean()


def test_a_share_of_a_ratio_has_its_variance():
    """Seeds of unequal numbers of runs: the linearised variance of a ratio (Cochran 1977, section 2.11)."""
    events, seeds = np.array([1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 0], bool), np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4])
    counts, totals = np.array([2, 0, 1, 3, 1]), np.array([3, 2, 1, 4, 2])
    share = 7 / 12
    variance = np.var(counts - share * totals, ddof=1) / 5 / totals.mean() ** 2
    known = (stats.t.ppf(0.975, 11) / stats.t.ppf(0.975, 4)) ** 2
    assert seed_rate(events, seeds).runs == pytest.approx(np.clip(share * (1 - share) / variance * known, 5, 12))


@pytest.mark.parametrize(("limit", "shared"), [(0.5, 0.3), (0.5, 0.6), (0.8, 0.6), (0.5, 1.0)])
def test_a_share_is_told_from_what_it_equals_no_oftener_than_promised_however_much_luck_seeds_share(limit, shared):
    generator, seeds = np.random.default_rng(0), np.repeat(np.arange(12), 4)
    luck = shared**0.5 * generator.normal(size=(600, 12, 1)) + (1 - shared) ** 0.5 * generator.normal(size=(600, 12, 4))
    events = (luck < stats.norm.ppf(limit)).reshape(600, -1)
    wrong = np.mean([min(seed_rate(each, seeds).p_values(limit)) <= 0.05 for each in events])
    binomial = np.mean([min(rate_test(int(each.sum()), 48, limit)) <= 0.05 for each in events])
    assert wrong <= 0.05
    assert binomial > 0.06
