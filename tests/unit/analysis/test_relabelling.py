"""Names drawn by the sizes of regions: against the law, enumerated, and against preferences that are known."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from ganbench.analysis.relabelling import log_sizes, preferences, relabellings

SIZES = np.array([[-0.5, -1.5, -2.5], [-3.0, -1.0, -1.0]])


def test_sizes_are_logarithms_of_shares_and_a_class_that_is_absent_has_half_a_point():
    found = log_sizes(np.array([[0, 0, 0, 1], [1, 1, 1, 1]]), 3)
    np.testing.assert_allclose(np.exp(found), np.array([[3.5, 1.5, 0.5], [0.5, 4.5, 0.5]]) / 4)


@pytest.mark.parametrize("theta", [np.zeros(3), np.array([1.0, 0.0, -0.5])])
def test_names_have_the_probabilities_of_the_law(theta):
    names = relabellings(SIZES, theta, 20_000, np.random.default_rng(0))
    assert names.shape == (2, 20_001, 3)
    assert (names[:, 0] == [0, 1, 2]).all()
    for mine, sizes in zip(names[:, 1:], SIZES, strict=True):
        orders = np.array(list(permutations(range(3))))
        weights = np.exp((theta[orders] * sizes).sum(axis=1))
        seen = [(mine == order).all(axis=1).mean() for order in orders]
        np.testing.assert_allclose(seen, weights / weights.sum(), atol=0.015)  # four standard errors at one half


def test_every_relabelling_uses_every_name_once_also_of_an_odd_number():
    names = relabellings(np.zeros((2, 5)), np.arange(5.0), 50, np.random.default_rng(0))
    assert (np.sort(names, axis=2) == np.arange(5)).all()
    assert (relabellings(np.zeros((2, 1)), np.zeros(1), 3, np.random.default_rng(0)) == 0).all(), "one class"


def test_preferences_are_those_that_the_names_were_drawn_with():
    """A map whose names were drawn is one more map: from many, the preferences come back."""
    random, theta = np.random.default_rng(1), np.array([1.5, 0.5, 0.0, -0.5, -1.5])
    sizes = random.normal(size=(2000, 5))
    names = relabellings(sizes, theta, 1, random)[:, 1]
    found = preferences(np.take_along_axis(sizes, np.argsort(names, axis=1), axis=1))
    np.testing.assert_allclose(found - found.mean(), theta, atol=0.15)
    steep, sizes = 8 * theta, 0.3 * random.normal(size=(200, 5))  # shares that hardly vary from map to map
    names = relabellings(sizes, steep, 1, random)[:, 1]
    found = preferences(np.take_along_axis(sizes, np.argsort(names, axis=1), axis=1))
    np.testing.assert_allclose(found - found.mean(), steep, atol=2)
    sizes = random.normal(size=(2, 5))
    assert preferences(np.repeat(sizes[:1], 3, axis=0)).argsort().tolist() == sizes[0].argsort().tolist()
    assert np.abs(preferences(100 * sizes[:2])).max() < 10, "no preference is without bounds"
    assert not preferences(np.zeros((3, 5))).any()
