"""Adjusted p-values: the procedure as published, a reference package, and its promise under dependence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ganbench.analysis.statistics.multiplicity import LEVEL, bonferroni, false_discovery_adjusted, level_of_next

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(p_values)
def test_it_is_the_procedure_of_benjamini_and_yekutieli(values):
    adjusted = false_discovery_adjusted(values)
    assert adjusted == pytest.approx(multipletests(values, method="fdr_by")[1])
    assert (adjusted >= np.array(values) - 1e-15).all()


@given(p_values)
def test_tests_without_a_p_value_do_not_count(values):
    mixed = np.full(2 * len(values), np.nan)
    mixed[::2] = values
    found = false_discovery_adjusted(mixed)
    assert np.isnan(found[1::2]).all()
    assert found[::2].tolist() == false_discovery_adjusted(values).tolist()


def test_one_test_is_not_adjusted_and_none_is_no_error():
    assert false_discovery_adjusted([0.03]).tolist() == [0.03]
    assert len(false_discovery_adjusted([])) == 0
    assert math.isnan(false_discovery_adjusted([math.nan])[0])


@given(p_values, st.data())
def test_a_smaller_p_value_never_makes_another_larger(values, data):
    """What a partial report decides stays decided: missing runs count with a p-value of 1 until they are there."""
    index = data.draw(st.integers(0, len(values) - 1))
    smaller = [*values]
    smaller[index] = data.draw(st.floats(0, values[index]))
    assert (false_discovery_adjusted(smaller) <= false_discovery_adjusted(values) + 1e-12).all()


@given(p_values)
def test_at_the_level_of_the_next_a_test_joins_those_that_are_decided(values):
    values = [*values, 1.0]
    adjusted = false_discovery_adjusted(values)
    rejected = int((adjusted <= LEVEL).sum())
    needed = level_of_next(len(values), rejected)
    assert false_discovery_adjusted([*values[:-1], needed * (1 - 1e-9)])[-1] <= LEVEL
    others = int((false_discovery_adjusted([*values[:-1], needed * 1.001])[:-1] <= LEVEL).sum())
    if others == rejected:
        assert false_discovery_adjusted([*values[:-1], needed * 1.001])[-1] > LEVEL


def test_tests_of_the_same_runs_in_opposite_directions():
    """Half of twenty claims are true; all of them share runs, and neighbours ask for opposite signs."""
    generator = np.random.default_rng(0)
    signs = np.where(np.arange(20) % 2, 1.0, -1.0)
    shift = np.where(np.arange(20) < 10, 4.0, 0.0)
    common, own = generator.normal(size=(2000, 1)), generator.normal(size=(2000, 20))
    scores = np.abs(shift + signs * (0.9 * common + math.sqrt(1 - 0.81) * own))
    shares = []
    for p_value in 2 * stats.norm.sf(scores):
        rejected = false_discovery_adjusted(p_value) <= LEVEL
        shares.append(rejected[10:].sum() / max(1, rejected.sum()))
    assert np.mean(shares) <= LEVEL


def test_bonferroni_counts_the_tests():
    assert bonferroni(0.01, 3) == pytest.approx(0.03)
    assert bonferroni(0.5, 3) == 1
