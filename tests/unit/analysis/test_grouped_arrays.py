"""Rows by group as arrays are those of a data frame's groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ganbench.analysis.grouped_arrays import grouped_arrays


@pytest.mark.parametrize("keys", [["run"], ["run", "series"]])
def test_groups_are_those_of_pandas_in_the_order_of_their_first_rows(keys):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "run": rng.choice(["c", "a", "b", None], 200),
            "series": rng.choice(["loss", "norm"], 200),
            "step": rng.integers(100, size=200),
            "mean": rng.normal(size=200),
        }
    )
    found = grouped_arrays(table, keys, ["step", "mean"])
    expected = dict(list(table.groupby(keys, sort=False)))
    assert list(found) == list(expected)
    for key, rows in expected.items():
        assert list(found[key]) == ["step", "mean"]
        for name, values in found[key].items():
            assert np.array_equal(values, rows[name].to_numpy())


def test_a_table_without_rows_or_keys_has_no_groups():
    table = pd.DataFrame({"run": ["a", None], "step": [1, 2]})
    assert grouped_arrays(table[:0], ["run"], ["step"]) == {}
    assert grouped_arrays(table[1:], ["run"], ["step"]) == {}
