"""Interactions of two factors against hand-derived values, invariants and an analysis of variance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ganbench.analysis.statistics.interactions import (
    MAX_EXACT,
    Contrast,
    contrast_interval,
    interaction_test,
    largest_contrast,
    min_p_value,
)
from ganbench.analysis.statistics.rates import wilson


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def test_p_values_by_hand():
    """Of differences of differences 1, 1, 1 and 0, two of all eight patterns of three signs are as extreme."""
    one = np.array([[0.0, 0.0], [0.0, 1.0]])
    assert interaction_test(np.stack([one, one, one, np.zeros((2, 2))]), generator()) == 2 / 8
    assert interaction_test(np.stack([one] * 6), generator()) == 2 / 2**6
    # 1, 1, 1, -1 has the sum 2: of 16 patterns, only the six sums of 0 are less extreme.
    assert interaction_test(np.stack([one, one, one, 1 - one]), generator()) == 10 / 16


def test_effects_that_add_up_are_no_interaction():
    rows, columns, luck = np.array([0.0, 0.1, 0.7]), np.array([0.3, 0.1]), np.arange(5.0)
    table = rows[None, :, None] + columns + luck[:, None, None]
    assert np.isnan(interaction_test(table, generator())), "nothing is left to turn the signs of"
    noise = generator().normal(size=table.shape)
    assert interaction_test(table + noise, generator()) == interaction_test(noise, generator())


def test_two_by_two_is_the_sign_flip_test_of_scipy():
    """There the interaction of a block is one number."""
    blocks = generator().normal(0.3, 1, (9, 2, 2))
    differences = (blocks[:, 1, 1] - blocks[:, 1, 0]) - (blocks[:, 0, 1] - blocks[:, 0, 0])
    reference = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert interaction_test(blocks, generator()) == pytest.approx(reference.pvalue)


@pytest.mark.parametrize("blocks", [2, 5, 6, 20])
def test_the_smallest_p_value_is_that_of_blocks_that_all_agree(blocks):
    agreeing = np.tile([[1.0, 0.0], [0.0, 1.0]], (blocks, 1, 1))
    assert interaction_test(agreeing, generator()) == pytest.approx(min_p_value(blocks), abs=1e-4)


def test_many_blocks_are_sampled():
    blocks = generator().normal(0.0, 1, (MAX_EXACT + 1, 2, 2))
    differences = (blocks[:, 1, 1] - blocks[:, 1, 0]) - (blocks[:, 0, 1] - blocks[:, 0, 0])
    reference = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert interaction_test(blocks, generator()) == pytest.approx(reference.pvalue, abs=0.02)
    assert interaction_test(np.full((20, 2, 2), [[0, 0], [0, 1.0]]), generator()) <= 2 / 10_000


@pytest.mark.parametrize("rates", [[[0.3, 0.6], [0.3, 0.6]], [[0.0, 0.4], [0.5, 0.9]]])
def test_the_level_holds_where_risks_add_up(rates):
    """The second table is as skewed as it can be: no failures in one cell, nine of ten in another."""
    draws, source = 300, generator()
    p_values = [interaction_test(source.random((10, 2, 2)) < rates, source) for _ in range(draws)]
    assert (np.array(p_values) <= 0.05).sum() <= stats.binom.ppf(0.999, draws, 0.05)


def test_the_largest_contrast():
    means = np.array([[0.1, 0.2, 0.3], [0.1, 0.9, 0.3]])
    # (0.9 - 0.1) - (0.2 - 0.1) = 0.7 and (0.3 - 0.9) - (0.3 - 0.2) = -0.7: the first of two alike.
    assert largest_contrast(means) == Contrast((0, 1), (0, 1), pytest.approx(0.7))


def test_the_interval_adds_up_distances_to_wilson_bounds():
    counts, totals = np.array([[1, 2], [3, 9]]), np.full((2, 2), 10)
    low, high = contrast_interval(counts, totals, Contrast((0, 1), (0, 1), 0.5))
    rates = {count: wilson(count, 10) for count in (1, 2, 3, 9)}
    below = [rates[9].value - rates[9].lower, rates[3].upper - rates[3].value]
    below += [rates[2].upper - rates[2].value, rates[1].value - rates[1].lower]
    assert low == pytest.approx(0.5 - np.sqrt(np.square(below).sum()))
    mirrored = contrast_interval(totals - counts, totals, Contrast((0, 1), (0, 1), -0.5))
    assert mirrored == pytest.approx((-high, -low)), "of successes in place of failures"
    wider = contrast_interval(np.vstack([counts, [5, 5]]), np.full((3, 2), 10), Contrast((0, 1), (0, 1), 0.5))
    assert wider[0] < low < high < wider[1], "the largest of three"


@pytest.mark.parametrize("shape", [(3, 2), (3, 1, 2), (0, 2, 2)])
def test_odd_tables_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(S, R, C\)"):
        interaction_test(np.ones(shape), generator())
