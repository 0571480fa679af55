"""Forgetting of modes against its definition, worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganbench.analysis.columns import MODES
from ganbench.analysis.mode_forgetting import MAX_MODES, mean_forgetting, mode_columns


def of_snapshots(steps: np.ndarray, shares: np.ndarray, real: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(mode_columns(steps, shares, real))


def table(confident: list[list[float]], real: list[float]):
    """The table of a run whose confident shares these are, (S, modes)."""
    found = np.array(confident)
    return of_snapshots(10 * np.arange(1, 1 + len(found)), np.stack([found, found], axis=1), np.array(real))


def test_a_mode_is_forgotten_by_what_it_lost_of_its_fair_share():
    # Fair shares of one half, a quarter, a quarter. The second snapshot holds all that was ever covered of two modes.
    found = table([[0.0, 0.1, 0.0], [0.5, 0.125, 0.0], [0.25, 0.0, 0.25]], [0.5, 0.25, 0.25])
    assert ["run", *found.columns] == list(MODES)
    wide = found.pivot(index="step", columns="mode", values="forgetting").to_numpy()
    assert np.isnan(wide[0]).all(), "nothing is earlier than the first snapshot"
    np.testing.assert_allclose(wide[1], [-1, 0.4 - 0.5, 0])
    np.testing.assert_allclose(wide[2], [0.5, 0.5, -1])
    assert mean_forgetting(found, 30) == pytest.approx(0)
    assert np.isnan(mean_forgetting(found, 40)), "the run never came so far"
    assert np.isnan(mean_forgetting(found, 10))


def test_noise_that_falls_on_one_mode_is_nothing_to_forget():
    """An untrained generator whose examples all look like one class, and what training makes of it."""
    fair, noise, half = [0.25] * 4, [1.0, 0.0, 0.0, 0.0], [0.125] * 4
    found = table([noise, fair], fair).query("step == 20")["forgetting"]
    np.testing.assert_allclose(found, [0, -1, -1, -1], err_msg="no mode is known by more than its fair share")
    shares = np.stack([[noise, half, fair]] * 2, axis=1)
    found = of_snapshots(np.array([0, 10, 20]), shares, np.array(fair))
    assert found.query("step == 10")["forgetting"].isna().all(), "before training nothing was known"
    np.testing.assert_allclose(found.query("step == 20")["forgetting"], -0.5)


def test_a_collapse_onto_one_of_many_modes_forgets_all_others():
    fair = [0.1] * 10
    assert mean_forgetting(table([fair, [1.0] + [0.0] * 9], fair), 20) == pytest.approx(0.9)


def test_snapshots_that_could_not_be_judged_have_no_forgetting_and_hide_none():
    found = table([[0.5, 0.5], [np.nan, np.nan], [0.0, 0.5]], [0.5, 0.5])
    assert found.query("step == 20")["forgetting"].isna().all()
    assert list(found.query("step == 30")["forgetting"]) == [1, 0]


def test_a_mode_without_real_examples_has_no_fair_share():
    shares = [[0.5, 0.5, 0.0, 0.3], [1.0, 0.0, 0.0, 0.4]]
    found = table(shares, [1.0, 0.0, 0.0, 0.0]).query("step == 20")["forgetting"]
    np.testing.assert_array_equal(found, [-0.5, np.nan, np.nan, np.nan])


def test_data_of_too_many_modes_have_no_rows_and_their_columns_types():
    few, many = (
        table([[1 / MAX_MODES] * MAX_MODES] * 2, [1 / MAX_MODES] * MAX_MODES),
        table([[0.1] * (MAX_MODES + 1)] * 2, [0.1] * (MAX_MODES + 1)),
    )
    assert (len(few), len(many)) == (2 * MAX_MODES, 0)
    assert list(few.dtypes) == list(many.dtypes)
    assert np.isnan(mean_forgetting(many, 20))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32))
def test_forgetting_has_the_bounds_of_its_source(snapshots, modes, seed):
    random = np.random.default_rng(seed)
    found = table(random.dirichlet(np.full(modes, 0.3), size=snapshots).tolist(), [1 / modes] * modes)
    known = found["forgetting"].dropna()
    assert len(known) == (snapshots - 1) * modes
    assert known.between(-1, 1).all()
