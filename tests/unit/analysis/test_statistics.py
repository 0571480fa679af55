"""Estimates and intervals against closed forms and reference implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ganbench.analysis.forgetting import improvement_lost
from ganbench.analysis.statistics import bootstrap_interval, interquartile_mean, spread, wilson
from ganbench.core.formatting import (
    format_duration,
    format_number,
    format_percent,
    format_proportion,
    format_range,
    join_words,
    plural,
    truncate,
)


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
    ("count", "total", "lower", "upper"),
    [
        # R. G. Newcombe (1998), Statistics in Medicine 17, table I, method 3 (score, no continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_matches_published_intervals(count, total, lower, upper):
    rate = wilson(count, total)
    assert rate.lower == pytest.approx(lower, abs=5.1e-5)
    assert rate.upper == pytest.approx(upper, abs=5.1e-5)


@given(counts())
def test_wilson_treats_success_and_failure_alike(pair):
    count, total = pair
    rate, mirrored = wilson(count, total), wilson(total - count, total)
    assert rate.lower == pytest.approx(1 - mirrored.upper, abs=1e-12)


def test_wilson_without_runs_says_nothing():
    rate = wilson(0, 0)
    assert (rate.lower, rate.upper) == (0, 1)
    assert math.isnan(rate.value)
    with pytest.raises(ValueError, match="between 0 and total"):
        wilson(3, 2)


def test_rates_overlap_when_their_intervals_do():
    assert not wilson(0, 40).overlaps(wilson(40, 40))
    assert wilson(1, 3).overlaps(wilson(2, 3))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_interquartile_mean_is_the_mean_of_the_middle(values):
    cut = len(values) // 4
    middle = np.sort(values)[cut : len(values) - cut]
    assert interquartile_mean(np.array(values)) == pytest.approx(middle.mean(), rel=1e-9, abs=1e-6)
    assert interquartile_mean(np.array(values)) == stats.trim_mean(values, 0.25)


def test_bootstrap_interval_covers_the_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        low, high = bootstrap_interval(generator.normal(5, 2, 40), np.mean, generator, resamples=400)
        hits += low <= 5 <= high
    # 95% of 200 with four standard errors on either side, and a little under-coverage at 40 values.
    assert 0.87 <= hits / 200 <= 1.0


def test_bootstrap_interval_is_the_normal_one_for_the_mean_of_many_values():
    values = np.random.default_rng(4).normal(1, 3, 2000)
    low, high = bootstrap_interval(values, np.mean, np.random.default_rng(5))
    error = values.std() / math.sqrt(len(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_bootstrap_interval_depends_on_its_generator_alone():
    values = np.array([1.0, 2.0, 5.0])
    first, second = (bootstrap_interval(values, np.mean, np.random.default_rng(7)) for _ in range(2))
    assert first == second
    assert values.min() <= first[0] <= first[1] <= values.max()
    assert all(map(math.isnan, bootstrap_interval(values[:1], np.mean, np.random.default_rng(7))))
    assert bootstrap_interval(np.full(3, 2.0), np.mean, np.random.default_rng(7)) == (2.0, 2.0)


def test_spread_counts_the_runs_without_a_value():
    summary = spread(np.array([3.0, np.nan, np.inf, 1.0, 8.0]), np.random.default_rng(0))
    assert (summary.values, summary.min, summary.max) == (3, 1.0, 8.0)
    assert summary.iqm == pytest.approx(4.0)
    nothing = spread(np.full(2, np.nan), np.random.default_rng(0))
    assert nothing.values == 0
    assert math.isnan(nothing.iqm)


def test_observations_that_are_not_known_count_both_ways():
    rate, none, every = wilson(2, 10, unknown=3), wilson(2, 10), wilson(5, 10)
    assert (rate.lower, rate.upper) == (none.lower, every.upper)
    assert math.isnan(rate.value)
    with pytest.raises(ValueError, match="8 and 3 unknown of 10"):
        wilson(8, 10, unknown=3)


def test_given_back_is_the_lost_share_of_the_improvement():
    assert improvement_lost(np.array([10.0, 6.0, 2.0])) == 0
    assert improvement_lost(np.array([10.0, 2.0, 6.0])) == 0.5
    assert improvement_lost(np.array([10.0, 2.0, np.inf])) == np.inf
    assert math.isnan(improvement_lost(np.array([1.0, 2.0])))


@given(st.lists(st.integers(-999, 999), min_size=2, max_size=10), st.sampled_from([0.125, 3, 40]), st.integers(-50, 50))
def test_given_back_has_no_unit(losses, scale, shift):
    losses = np.array(losses, dtype=np.float64)
    assert improvement_lost(scale * losses + shift) == pytest.approx(improvement_lost(losses), nan_ok=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0002, "0.0002"),
        (5e-5, "5e-5"),
        (1400, "1400"),
        (2.9, "2.9"),
        (0.9449, "0.945"),
        (234.56, "235"),
        (12345.6, "12346"),
        (1.5e7, "1.5e7"),
        (-0.25, "-0.25"),
        (0, "0"),
        (np.nan, "–"),
        (np.inf, "∞"),
        (-np.inf, "-∞"),
        (1e6, "1e6"),
        (1e-4, "0.0001"),
        (9.99e-5, "9.99e-5"),
    ],
)
def test_numbers_as_words(value, text):
    assert format_number(value) == text


def test_numbers_take_more_digits_where_asked():
    assert [format_number(value, 6) for value in (1.00498756, 2.0, 1.5e-7, 0.1)] == ["1.00499", "2", "1.5e-7", "0.1"]
    assert format_range(1.0, 1.0001, 5) == "1 to 1.0001"


def test_sentence_parts():
    assert format_proportion(wilson(4, 9), "runs failed") == "4 of 9 runs failed (44%, 95% interval 19% to 73%)"
    assert [format_percent(share) for share in (0, 0.001, 0.5, 0.999, 1)] == ["0%", "<1%", "50%", ">99%", "100%"]
    assert format_range(1.0, 1.0001) == "1"
    assert format_range(0.1234, 0.1236) == "0.123 to 0.124"
    assert format_percent(math.nan) == "–"
    assert [join_words(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [plural(count, "run") for count in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert plural(2, "run holds", "runs hold") == "2 runs hold"


def test_durations_are_in_the_largest_unit_of_which_there_are_two():
    assert [format_duration(seconds) for seconds in (5, 150, 9000, 200000)] == ["5.0 s", "2.5 min", "2.5 h", "2.3 d"]
    for size, unit, below in ((60, "min", "119.0 s"), (3600, "h", "120.0 min"), (86400, "d", "48.0 h")):
        assert format_duration(2 * size) == f"2.0 {unit}"
        assert format_duration(2 * size - 1) == below
    assert format_duration(math.nan) == "–"


@given(st.text("ab ", max_size=300), st.integers(10, 200))
def test_a_shortened_text_is_its_beginning_and_no_longer_than_asked(text, most):
    found = truncate(text, most)
    assert len(found) <= most
    assert found == text if len(text) <= most else text.startswith(found.removesuffix(" ..."))
    assert len(truncate("a" * 201)) == 200
    assert truncate("a" * 200) == "a" * 200
