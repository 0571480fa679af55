"""Widths of regions against hand-derived values, and against a fine grid of the interpolated rate."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ganbench.analysis.statistics.regions import observations_for_a_bound, pieces_above, region_above

rates = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=2, max_size=6)


def test_pieces_by_hand():
    assert pieces_above([0, 1, 2], [0, 1, 0], 0.5) == ((0.5, 1.5),)
    assert pieces_above([0, 1, 3], [1, 0, 1], 0.5) == ((0, 0.5), (2, 3)), "two pieces, both at an end"
    assert pieces_above([-4, -3, -2], [0.8, 0.6, 0.2], 0.5) == ((-4, -2.75),)
    assert pieces_above([0, 1], [0.5, 0.5], 0.5) == (), "a rate that touches the limit does not exceed it"
    assert pieces_above([0, 1, 2], [1, 0.5, 1], 0.5) == ((0, 1), (1, 2))
    assert pieces_above([0, 1, 2], [0, 0.5, 1], 0.5) == ((1, 2),)


@settings(max_examples=40)
@given(rates)
def test_the_width_is_the_measure_of_the_interpolated_rate(shares):
    positions = np.cumsum([1.0 + 0.5 * (index % 3) for index in range(len(shares))])
    fine = np.linspace(positions[0], positions[-1], 20_001)
    measure = (np.interp(fine, positions, shares) > 0.5).mean() * (positions[-1] - positions[0])
    width = sum(end - start for start, end in pieces_above(positions, shares, 0.5))
    assert width == pytest.approx(measure, abs=0.002)
    more = np.minimum(1, np.array(shares) + 0.25)
    assert sum(end - start for start, end in pieces_above(positions, more, 0.5)) >= width - 1e-12, "it grows with rates"


def test_the_interval_is_that_of_simultaneous_exact_bounds():
    """Of 0 of n, Clopper and Pearson's upper bound is 1 - (a / 2)^(1 / n), here with a = 0.05 / 3; of n of n, the lower
    one is its mirror image."""
    found = region_above([0, 1, 2], [0, 12, 0], [12, 12, 12])
    reach = (0.05 / 3 / 2) ** (1 / 12)
    assert found.pieces == ((0.5, 1.5),)
    assert found.width == 1
    assert found.low == pytest.approx(2 * (1 - 0.5 / reach))
    assert found.high == pytest.approx(2 * (1 - (0.5 - (1 - reach)) / reach))
    assert (found.open_below, found.open_above) == (False, False)


def test_a_region_that_reaches_an_end_is_censored_there():
    every = region_above([0, 1, 2], [10, 10, 10], [10, 10, 10])
    assert (every.width, every.low, every.high) == (2, 2, np.inf), "(0.05 / 6)^(1 / 10) is 0.62"
    assert (every.open_below, every.open_above) == (True, True)
    few = region_above([0, 1, 2], [6, 6, 6], [6, 6, 6])
    assert (few.width, few.low, few.high) == (2, 0, np.inf), "(0.05 / 6)^(1 / 6) is 0.45: six runs tell nothing"
    right = region_above([0, 1, 2], [0, 0, 12], [12, 12, 12])
    assert (right.open_below, right.open_above, right.width, right.high) == (False, True, 0.5, np.inf)


def test_undetermined_runs_count_either_way():
    known = region_above([0, 1, 2], [0, 12, 0], [12, 12, 12])
    found = region_above([0, 1, 2], [0, 9, 0], [12, 12, 12], unknown=[0, 3, 0])
    assert np.isnan(found.width)
    assert found.low < known.low
    assert found.high == known.high


@pytest.mark.parametrize(
    ("positions", "counts", "totals"), [([0, 0], [1, 1], [2, 2]), ([0, 1], [1], [2, 2]), ([0, 1], [0, 0], [1, 0])]
)
def test_odd_counts_are_refused(positions, counts, totals):
    with pytest.raises(ValueError, match="expected"):
        region_above(positions, counts, totals)


def test_the_interval_holds_the_true_width():
    """Over all outcomes of three runs at each of three values."""
    found = {counts: region_above([0, 1, 2], counts, [3, 3, 3]) for counts in product(range(4), repeat=3)}
    for true in ((0.45, 0.45, 0.45), (0.1, 0.9, 0.1), (0.2, 0.55, 0.3)):
        width = sum(end - start for start, end in pieces_above([0, 1, 2], true, 0.5))
        held = [counts for counts, each in found.items() if each.low <= width <= each.high]
        assert stats.binom.pmf(held, 3, true).prod(axis=1).sum() >= 0.95


@pytest.mark.parametrize(("positions", "needed"), [(3, 7), (5, 8), (9, 9)])
def test_fewer_runs_than_these_bound_no_width(positions, needed):
    """0.05 / P is shared by two tails: the lower bound of n of n is (0.025 / P)^(1/n)."""
    assert observations_for_a_bound(positions) == needed
    assert (0.025 / positions) ** (1 / (needed - 1)) <= 0.5 < (0.025 / positions) ** (1 / needed)
    for total in (needed - 1, needed):
        all_of_them, none = (
            region_above(range(positions), [count] * positions, [total] * positions) for count in (total, 0)
        )
        assert (all_of_them.low > 0) == (none.high < np.inf) == (total == needed)
