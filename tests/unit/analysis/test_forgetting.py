"""The share of its improvement that a run gives back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganbench.analysis.forgetting import improvement_lost


def test_given_back_is_the_lost_share_of_the_improvement():
    assert improvement_lost(np.array([10.0, 6.0, 2.0])) == 0
    assert improvement_lost(np.array([10.0, 2.0, 6.0])) == 0.5
    assert improvement_lost(np.array([10.0, 2.0, np.inf])) == np.inf
    assert math.isnan(improvement_lost(np.array([1.0, 2.0])))


@given(st.lists(st.integers(-999, 999), min_size=2, max_size=10), st.sampled_from([0.125, 3, 40]), st.integers(-50, 50))
def test_given_back_has_no_unit(losses, scale, shift):
    losses = np.array(losses, dtype=np.float64)
    assert improvement_lost(scale * losses + shift) == pytest.approx(improvement_lost(losses), nan_ok=True)
