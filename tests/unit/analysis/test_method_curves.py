"""The tables of curves: shares by hand, and those that the figures draw."""

from __future__ import annotations

from dataclasses import replace

import pytest
from compared_methods import runs, study

from ganbench.analysis.method_curves import PROFILES, SURVIVAL, profiles_table, survival_table
from ganbench.analysis.statistics.rates import wilson

ONE, OTHER = (100, 0.1), (400, 0.1)


def test_runs_that_ended_count_until_their_last_step(collected):
    """The seeds 1 and 3 of five fail, at the steps 200 and 400; the others end at 2,000."""
    table = survival_table(study(collected, {"a": {ONE: runs("fcfcn")}, "b": {ONE: runs("ff")}}))
    assert list(table) == list(SURVIVAL)
    mine = table[table["method"] == "a"]
    assert mine["step"].to_list() == [0, 200, 400, 2000]
    assert mine["at_risk"].to_list() == [5, 5, 4, 3]
    assert mine["share"].to_list() == pytest.approx([1, 0.8, 0.6, 0.6])
    assert (mine["low"] < mine["share"]).all()
    assert table.loc[table["method"] == "b", "share"].to_list() == [1, 1]


@pytest.mark.parametrize(("best", "values"), [("low", [1, 2, 5, 6]), ("high", [6, 5, 2, 1])])
def test_values_are_reached_by_runs_that_are_at_least_as_good(collected, best, values):
    """Of two settings of three runs each, one run failed, whatever it scored."""
    other = [(value, "converged") for value in (5.0, 5.0, 6.0)]
    made = study(collected, {"a": {ONE: runs("ffc"), OTHER: other}})
    info = replace(made.metrics["fd"], best=best)
    table = profiles_table(replace(made, metrics={"fd": info}))
    assert list(table) == list(PROFILES)
    assert table["value"].to_list() == values
    shares = [1 / 6, 2 / 6, 4 / 6, 5 / 6] if best == "low" else [1 / 6, 3 / 6, 4 / 6, 5 / 6]
    assert table["share"].to_list() == pytest.approx(shares)
    assert (table["low"][0], table["high"][0]) == pytest.approx((wilson(1, 6).lower, wilson(1, 6).upper))


def test_a_study_of_failures_alone_reaches_nothing(collected):
    made = study(collected, {"a": {ONE: runs("ccc")}})
    assert profiles_table(made).empty
    assert survival_table(made)["share"].iloc[-1] == 0
