"""Survival curves and log-rank tests against reference packages, published numbers and closed forms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from ganbench.analysis.statistics import survival
from ganbench.analysis.statistics.survival import kaplan_meier, log_rank

# Weeks of remission of leukaemia under 6-MP and placebo: E. J. Freireich et al. (1963), Blood 21; the example of
# D. R. Cox (1972), JRSS B 34. A minus sign marks a censored patient.
TREATED = np.array([6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35])
PLACEBO = np.array([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23])

# What lifelines 0.30.3 gives for them, which cannot be installed beside pandas 3: the bounds of `KaplanMeierFitter` at
# some weeks, and the p-value of `logrank_test`.
LIFELINES_BOUNDS = {6: (0.619718, 0.951552), 13: (0.431610, 0.849066), 23: (0.188052, 0.680143)}
LIFELINES_P = 4.168809109334511e-05

runs = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=25)


def test_a_published_curve():
    curve = kaplan_meier(abs(TREATED), TREATED > 0)
    found = dict(zip(curve.steps, curve.share, strict=True))
    # E. A. Gehan (1965), and in many textbooks.
    expected = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {step: round(found[step], 3) for step in expected} == expected
    assert curve.at_risk[list(curve.steps).index(13)] == 12
    for step, bounds in LIFELINES_BOUNDS.items():
        at = list(curve.steps).index(step)
        assert (curve.low[at], curve.high[at]) == pytest.approx(bounds, abs=1e-6)


def test_a_published_test():
    """The log-rank statistic of these patients is 16.79 (J. P. Klein and M. L. Moeschberger, 2003, chapter 7)."""
    steps = np.concatenate([abs(TREATED), PLACEBO])
    failed = np.concatenate([TREATED > 0, np.ones(21, dtype=bool)])
    p_value = log_rank(steps, failed, np.repeat(["treated", "placebo"], 21), asymptotic=True)
    assert stats.chi2.isf(p_value, 1) == pytest.approx(16.79, abs=0.005)
    assert p_value == pytest.approx(LIFELINES_P, rel=1e-9)


@given(runs)
def test_curves_are_those_of_statsmodels(data):
    steps, failed = (np.array(column) for column in zip(*data, strict=True))
    curve = kaplan_meier(steps, failed)
    reference = SurvfuncRight(steps, failed.astype(int))
    at = np.searchsorted(curve.steps, reference.surv_times, side="right") - 1
    assert curve.share[at] == pytest.approx(reference.surv_prob)
    assert (curve.low <= curve.share).all()
    assert (curve.share <= curve.high).all()
    assert (curve.high[curve.share == 0] <= curve.high[curve.share > 0][-1]).all()
    assert (np.diff(curve.share) <= 0).all()
    assert curve.at_risk[0] == len(steps)
    inner = (curve.share > 0) & (curve.share < 1)
    for index in np.flatnonzero(inner):
        # Greenwood's error, and the interval symmetric in log(-log S).
        place = np.searchsorted(reference.surv_times, curve.steps[index], side="right") - 1
        error = reference.surv_prob_se[place]
        share = curve.share[index]
        reach = stats.norm.ppf(0.975) * error / (share * abs(np.log(share)))
        assert curve.low[index] == pytest.approx(share ** np.exp(reach))
        assert curve.high[index] == pytest.approx(share ** np.exp(-reach))


def test_without_censoring_it_is_the_share_that_is_left():
    steps = np.array([3, 1, 4, 1, 5])
    curve = kaplan_meier(steps, np.ones(5, dtype=bool))
    assert curve.steps.tolist() == [0, 1, 3, 4, 5]
    assert curve.share == pytest.approx([1, 0.6, 0.4, 0.2, 0])
    assert curve.at_risk.tolist() == [5, 5, 3, 2, 1]


def test_where_no_run_failed_the_interval_is_that_of_no_failure():
    curve = kaplan_meier(np.full(10, 500), np.zeros(10, dtype=bool))
    assert curve.share.tolist() == [1, 1]
    low = stats.binomtest(10, 10).proportion_ci(method="exact").low
    assert curve.low == pytest.approx([low, low])
    assert curve.high.tolist() == [1, 1]
    all_at_once = kaplan_meier(np.zeros(4), np.ones(4, dtype=bool))
    assert (all_at_once.share[-1], all_at_once.low[-1]) == (0, 0)
    assert all_at_once.high[-1] == pytest.approx(1 - low_of(4))


def test_after_the_last_failure_the_upper_bound_does_not_rise():
    """By hand, where one of ten is left: log(-log(0.1)) = 0.834, and Greenwood's variance of log(share) is 0.9."""
    curve = kaplan_meier(np.arange(1, 11), np.ones(10, dtype=bool))
    last = np.exp(-np.exp(np.log(-np.log(0.1)) - stats.norm.ppf(0.975) * np.sqrt(0.9) / np.log(10)))
    assert curve.share[-2:] == pytest.approx([0.1, 0])
    assert curve.high[-2:] == pytest.approx([last, last])
    assert last == pytest.approx(0.358, abs=5e-4)
    assert curve.low[-1] == 0
    assert (np.diff(curve.high[1:]) <= 0).all()
    at_once = kaplan_meier(np.array([1, *[2] * 9]), np.ones(10, dtype=bool))
    assert at_once.high[-1] == pytest.approx(1 - low_of(9))
    assert at_once.high[-1] < at_once.high[-2]


def low_of(count: int) -> float:
    return stats.binomtest(count, count).proportion_ci(method="exact").low


def test_a_censored_run_counts_until_it_ends():
    """Kaplan and Meier's redistribution: it hands its weight on to the runs that went on."""
    curve = kaplan_meier(np.array([1, 2, 3, 4]), np.array([True, False, True, False]))
    assert curve.share == pytest.approx([1, 0.75, 0.75, 0.375, 0.375])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.sampled_from("abc")), min_size=6, max_size=40))
@example(list(zip([5, 5, 1, 1, 2, 2], [True] * 2 + [False] * 4, "ababab", strict=True)))
def test_log_rank_is_that_of_statsmodels(data):
    steps, failed, groups = (np.array(column) for column in zip(*data, strict=True))
    found = log_rank(steps, failed, groups, asymptotic=True)
    # The groups at risk wherever some runs fail and others go on; where all at risk fail, none is told from another.
    on = [step for step in steps[failed] if ((steps > step) | ((steps == step) & ~failed)).any()]
    at_risk = [set(groups[steps >= step]) for step in on]
    if all(len(seen) < 2 for seen in at_risk):
        assert np.isnan(found)
        return
    # statsmodels inverts a covariance that is singular where a group never stands beside another there.
    if not all(any({group, other} <= seen for seen in at_risk) for group in set(groups) for other in set(groups)):
        return
    assert found == pytest.approx(survdiff(steps, failed.astype(int), groups)[1], rel=1e-6, abs=1e-12)


def test_log_rank_of_two_groups_is_that_of_scipy():
    generator = np.random.default_rng(0)
    steps = [generator.integers(1, 30, 20), generator.integers(1, 60, 25)]
    failed = [generator.random(20) < 0.8, generator.random(25) < 0.6]
    samples = [stats.CensoredData.right_censored(s, ~f) for s, f in zip(steps, failed, strict=True)]
    found = log_rank(np.concatenate(steps), np.concatenate(failed), np.repeat([0, 1], [20, 25]), asymptotic=True)
    assert found == pytest.approx(stats.logrank(*samples).pvalue)


def test_within_strata_only_runs_of_one_setting_are_compared():
    """Hard and easy settings: pooled, the method that was run at the hard ones alone seems worse."""
    generator = np.random.default_rng(3)
    strata = np.repeat([0, 1], [60, 60])
    groups = np.concatenate([np.repeat([0, 1], [50, 10]), np.repeat([0, 1], [10, 50])])
    steps = np.ceil(generator.exponential(np.where(strata == 0, 5, 100)))
    failed = np.ones(120, dtype=bool)
    assert log_rank(steps, failed, groups, asymptotic=True) < 1e-6
    within = log_rank(steps, failed, groups, strata, asymptotic=True)
    assert within > 0.01
    assert within == pytest.approx(survdiff(steps, failed.astype(int), groups, strata=strata)[1])


def test_few_runs_have_the_p_value_of_a_permutation():
    """Of the 20 ways to deal six runs to two groups, one puts the first three into the one, and one into the other."""
    steps, failed, groups = np.arange(1, 7), np.ones(6, dtype=bool), np.repeat(["a", "b"], 3)
    assert log_rank(steps, failed, groups) == pytest.approx(2 / 20)
    bolder = log_rank(steps, failed, groups, asymptotic=True)  # by the chi-squared law
    assert bolder == pytest.approx(0.0246, abs=5e-5)
    # The statistic of a single run against five is largest where it fails first.
    assert log_rank(steps, failed, np.array([0, 1, 1, 1, 1, 1])) == pytest.approx(1 / 6)
    # Groups of one run each are the same groups under other names, however they are dealt.
    assert log_rank(steps[:3], failed[:3], np.array([0, 1, 2])) == 1
    assert np.isnan(log_rank(steps, np.zeros(6, dtype=bool), groups))
    assert np.isnan(log_rank(np.ones(6), failed, groups)), "all fail together"


def test_runs_are_dealt_within_their_strata():
    """Two runs against two in either of two settings: 6 x 6 ways, two of which have one group fail first in both.

    A third setting, where no run fails, and a fourth one, of one group alone, tell nothing and are not dealt.
    """
    steps, groups = np.array([1, 2, 3, 4, 10, 20, 30, 40, *[50] * 8, 1, 2]), np.array([0, 0, 1, 1] * 4 + [0, 0])
    failed, strata = np.repeat([True, False, True], [8, 8, 2]), np.repeat([0, 1, 2, 3], [4, 4, 8, 2])
    assert log_rank(steps, failed, groups, strata) == pytest.approx(2 / 36)


def test_a_stratum_need_not_have_runs_of_every_group():
    """Of three groups the second or the last two are missing in the other stratum, which then tells nothing."""
    steps, failed, groups = [1, 2, 3, 4, 5, 6], [True] * 6, ["a", "b", "c", "a", "b", "c"]
    alone = log_rank(np.array(steps), np.array(failed), np.array(groups))
    for other in (["a", "a"], ["c", "c"], ["b", "b"]):
        more = [*groups, *other], [*steps, 1, 9], [*failed, True, True], [0] * 6 + [1] * 2
        labels, when, which, strata = map(np.array, more)
        assert log_rank(when, which, labels, strata) == pytest.approx(alone)


def test_permutations_are_those_of_scipy():
    generator = np.random.default_rng(6)
    steps, failed = generator.integers(1, 9, 9), generator.random(9) < 0.7

    def statistic(one: np.ndarray, other: np.ndarray) -> float:
        drawn = (one.astype(int), other.astype(int))
        samples = [stats.CensoredData.right_censored(steps[runs], ~failed[runs]) for runs in drawn]
        return stats.logrank(*samples).statistic ** 2

    expected = stats.permutation_test(
        (np.arange(4), np.arange(4, 9)), statistic, n_resamples=np.inf, alternative="greater", vectorized=False
    )
    assert len(expected.null_distribution) == 126
    found = log_rank(steps, failed, np.repeat([0, 1], [4, 5]))
    assert found == pytest.approx(expected.pvalue)


def test_permutations_of_three_groups_are_those_of_all_orders():
    steps, failed, groups = (
        np.array([1, 2, 2, 4, 5, 5]),
        np.array([1, 1, 0, 1, 1, 0], dtype=bool),
        np.array([*"ababcc"]),
    )
    orders = [log_rank(steps, failed, groups[list(order)], asymptotic=True) for order in permutations(range(6))]
    assert log_rank(steps, failed, groups) == pytest.approx(np.mean(np.array(orders) <= orders[0] * (1 + 1e-9)))


@pytest.mark.parametrize("sizes", [(8, 8), (3, 40)])
def test_permutations_tend_to_the_chi_squared_law(sizes):
    generator = np.random.default_rng(7)
    apart = []
    for _ in range(3):
        steps, groups = generator.exponential(500, sum(sizes)), np.repeat(np.arange(len(sizes)), sizes)
        runs = (np.minimum(steps, 1000), steps < 1000, groups)
        apart.append(log_rank(*runs) - log_rank(*runs, asymptotic=True))
    assert 0 < max(map(abs, apart)) < 0.06


def test_of_more_ways_than_are_tried_some_are_drawn(monkeypatch):
    generator = np.random.default_rng(8)
    groups, strata = np.repeat([0, 1, 0, 1], [4, 3, 3, 4]), np.repeat([0, 1], 7)  # 35^2 ways
    for _ in range(3):
        steps = generator.exponential(500, 14)
        runs = (np.minimum(steps, 900), steps < 900, groups, strata)
        monkeypatch.setattr(survival, "MAX_EXACT", 35**2)
        exact = log_rank(*runs)
        monkeypatch.setattr(survival, "MAX_EXACT", 35**2 - 1)
        drawn = log_rank(*runs)
        assert drawn == log_rank(*runs), "the same ways each time"
        assert abs(drawn - exact) < 4 * np.sqrt(exact * (1 - exact) / survival.SAMPLED)
    apart = (np.arange(60), np.ones(60, dtype=bool), np.repeat([0, 1], 30))
    assert log_rank(*apart) == 1 / (survival.SAMPLED + 1), "the least that drawn ways can give"


@pytest.mark.parametrize("sizes", [(10, 10, 10), (4, 4), (3, 60)])
def test_log_rank_keeps_its_level(sizes, monkeypatch):
    monkeypatch.setattr(survival, "SAMPLED", 199)
    generator, repeats = np.random.default_rng(4), 300
    p_values = []
    for _ in range(repeats):
        steps = np.ceil(generator.exponential(500, sum(sizes)))
        failed = steps < 1000
        p_values.append(log_rank(np.minimum(steps, 1000), failed, np.repeat(np.arange(len(sizes)), sizes)))
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / repeats)


def test_the_curve_s_interval_covers():
    generator = np.random.default_rng(5)
    held = []
    for _ in range(600):
        steps = generator.exponential(1000, 20)
        censored = generator.uniform(200, 2000, 20)
        curve = kaplan_meier(np.minimum(steps, censored), steps <= censored)
        at = np.searchsorted(curve.steps, 500, side="right") - 1
        held.append(curve.low[at] <= np.exp(-0.5) <= curve.high[at])
    assert np.mean(held) >= 0.93 - 4 * np.sqrt(0.05 * 0.95 / 600)


def test_the_bound_after_the_last_failure_covers():
    """Where 4% of runs are left, four in ten samples of twenty have none. Half see failures every 400 steps alone."""
    generator, step = np.random.default_rng(6), 3200
    drawn = generator.exponential(1000, (300, 20))
    drawn[::2] = 400 * np.ceil(drawn[::2] / 400)
    curves = [kaplan_meier(steps, np.ones(20, dtype=bool)) for steps in drawn]
    at = [np.searchsorted(curve.steps, step, side="right") - 1 for curve in curves]
    gone = np.mean([curve.share[place] == 0 for curve, place in zip(curves, at, strict=True)])
    held = np.mean([curve.high[place] >= np.exp(-step / 1000) for curve, place in zip(curves, at, strict=True)])
    assert gone > 0.3
    assert held >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300)


def test_steps_that_are_none_are_refused():
    for steps in ([], [np.nan], [-1.0], [np.inf]):
        with pytest.raises(ValueError, match="one run or more, each finite and not negative"):
            kaplan_meier(np.array(steps), np.ones(len(steps), dtype=bool))
