"""Studies side by side: what they share, what differs, and what is tested between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sides_example import other, side

from ganbench.analysis.methods import failed
from ganbench.analysis.side_by_side import DIFFERENCES, SETTINGS, Side, differences, settings
from ganbench.analysis.statistics.multiplicity import false_discovery_adjusted
from ganbench.analysis.statistics.rate_differences import paired_difference
from ganbench.analysis.study_comparisons import COLUMNS, comparisons
from ganbench.report.comparison_page import comparable


@pytest.fixture(scope="module")
def first(collected) -> Side:
    return side(collected, "first")


def test_methods_are_the_same_by_what_they_are_and_runs_pair_by_their_seeds(collected, first):
    worse = other(collected, outcome="diverged", failure_onset=10)
    table = comparisons([first, side(worse, "second")])
    assert list(table) == list(COLUMNS)
    assert list(table["first"]) == ["first: digits-fc", "first: digits-dcgan", "first: ring8-mlp"]
    assert list(table["second"]) == ["second: x-digits-fc", "second: x-digits-dcgan", "second: x-ring8-mlp"]
    for method, row in zip(("digits-fc", "digits-dcgan", "ring8-mlp"), table.to_dict("records"), strict=True):
        mine = collected.runs[collected.runs["method"] == method]
        expected = paired_difference(0, int((~failed(mine)).sum()), len(mine))
        assert (row["pairs"], row["first_failed"], row["second_failed"]) == (len(mine), failed(mine).sum(), len(mine))
        assert (row["failure_difference"], row["failure_p_value"]) == (expected.value, expected.p_value)
        assert row["improvement"] > 0.5
        assert row["metric"] == "fd"
    p_values = table[["failure_p_value", "log_rank_p_value", "improvement_p_value"]].to_numpy(dtype=float)
    adjusted = table[
        ["failure_p_value_adjusted", "log_rank_p_value_adjusted", "improvement_p_value_adjusted"]
    ].to_numpy(dtype=float)
    np.testing.assert_allclose(adjusted.ravel(), false_discovery_adjusted(p_values.ravel()))


def test_only_settings_of_both_count(collected, first):
    few = other(collected, keep=(collected.runs["n_train"] == 100) & (collected.runs["architecture"] == "fc"))
    (row,) = comparisons([first, side(few, "second")]).to_dict("records")
    assert (row["settings"], row["first_runs"], row["second_runs"]) == (3, 9, 9)
    table = settings([first, side(few, "second")])
    assert list(table)[: len(SETTINGS)] == list(SETTINGS)
    shared = table[table["studies"] == 2]
    assert set(shared["n_train"]) == {100}
    assert list(shared["study"]) == ["first"] * 3 + ["second"] * 3
    assert (table["studies"] == 1).sum() == 9 + 6 + 3
    assert dict(zip(table["method"], table["compared"], strict=True))["x-digits-fc"] == "digits, fc"
    apart = other(collected, n_train=99)
    for row in comparisons([first, side(apart, "second")]).to_dict("records"):
        assert row["settings"] == 0
        assert row["note"].startswith("not tested: they have no setting in common")


def test_an_option_makes_another_method(collected, first):
    wide = other(collected, architecture="fc(width=9)")
    assert comparisons([first, side(wide, "second")]).empty
    assert set(settings([first, side(wide, "second")])["studies"]) == {1}


def test_why_an_outcome_was_not_looked_for_is_told(collected):
    mine = replace(collected, runs=collected.runs.assign(outcomes_judged="diverged, unstable", failures_not_judged=""))
    why = "unstable: the generator's loss has 60 bins of steps, and spikes need 80"
    theirs = other(mine, outcomes_judged="diverged", failures_not_judged=f"memorizing: it was not measured; {why}")
    note = comparisons([side(mine, "first"), side(theirs, "second")]).iloc[0]["note"]
    assert f"unstable was looked for in one of them only ({why})" in note


@pytest.mark.parametrize("ended", [{"outcome": "diverged"}, {"outcome": "unstable", "stopped_step": 10}])
def test_runs_that_ended_early_compare_with_runs_in_which_more_was_looked_for(collected, ended):
    """What did not show in a run before its early end is not judged there, so that such runs lack it everywhere."""
    mine = replace(collected, runs=collected.runs.assign(outcome="converged"))
    lost = other(mine, failure_onset=10, outcomes_judged=ended["outcome"], failures_not_judged="", **ended)
    row = comparisons([side(mine, "first"), side(lost, "second")]).iloc[0]
    assert "not tested" not in row["note"]
    expected = paired_difference(0, 27, 27)
    assert (row["failure_difference"], row["failure_p_value"]) == (-1, expected.p_value)
    assert row[["log_rank_p_value", "improvement_p_value"]].notna().all()
    # One run that reached its last step tells what was looked for.
    lost.runs.loc[0, ["outcome", "stopped_step"]] = ["converged", None]
    (note, *_) = comparisons([side(mine, "first"), side(lost, "second")])["note"]
    assert "were looked for in one of them only" in note


@pytest.mark.parametrize(
    ("columns", "judges", "note"),
    [
        ({}, {"digits": "other"}, "the judges differ, in their options, their data or their sources"),
        ({"evaluate_samples": 500}, {}, "scores are of 2000 and of 500 samples"),
        ({"outcome_blow_up": 3.0}, {}, "the thresholds of outcomes differ"),
        ({"outcomes_judged": "diverged"}, {}, "were looked for in one of them only"),
        ({"same": True}, {}, "27 runs are the same in both, with equal digests"),
    ],
)
def test_what_was_not_measured_alike_is_not_tested(collected, columns, judges, note):
    mine = replace(collected, runs=collected.runs.assign(evaluate_samples=2000, outcome_blow_up=2.0))
    theirs = other(mine, **{name: value for name, value in columns.items() if name != "same"})
    if "same" in columns:
        theirs = replace(theirs, runs=theirs.runs.assign(digest=collected.runs["digest"]))
    second = side(theirs, "second")
    second = replace(second, judges=second.judges | judges)
    row = comparisons([side(mine, "first"), second]).iloc[0]
    assert row["note"].startswith("not tested: ")
    assert note in row["note"]
    assert row["first_failed"] == row["second_failed"] > 0
    tests = [name for name in COLUMNS if name.endswith(("_p_value", "_adjusted")) or name.startswith("improvement")]
    assert row[tests].isna().all()
    assert pd.isna(row["metric"])


def test_a_metric_with_other_options_is_left_to_the_next(collected, first):
    second = side(other(collected), "second")
    second = replace(second, metrics=second.metrics | {"fd": "fd(other=1)"})
    assert set(comparisons([first, second])["metric"]) == {"modes"}
    assert comparable([first, second], "digits")[1] == "modes"
    assert comparable([first, replace(second, judges={"digits": "c"})], "digits") == ([first], None)


def test_training_that_differs_is_said_and_sources_that_differ_too(collected, first):
    second = side(other(collected), "second")
    table = comparisons([first, second])
    assert set(table["note"]) == {"settings, training and seeds are equal, and digests are not: sources or data differ"}
    longer = replace(second, training={run: {"steps": 4000, "batch_size": 64} for run in second.training})
    table = comparisons([first, longer])
    assert set(table["training"]) == {"steps 2000 / 4000"}
    assert set(table["note"]) == {""}
    assert table["improvement_p_value"].notna().all()


def test_differences_are_those_of_what_is_shared_or_asked_of_all(collected):
    mine = replace(collected, runs=collected.runs.assign(evaluate_samples=2000, outcome_blow_up=2.0, torch="2.9"))
    theirs = side(other(mine, evaluate_samples=500, torch="2.11"), "second")
    theirs = replace(
        theirs,
        training={run: {"steps": 4000, "batch_size": 64} for run in theirs.training},
        judges={"digits": "c", "ring8": "b", "cifar10": "d"},
    )
    table = differences([side(mine, "first"), theirs])
    assert list(table) == [*DIFFERENCES, "first", "second"]
    assert table.to_numpy().tolist() == [
        ["training", "steps", "2000", "4000"],
        ["evaluation", "evaluate_samples", "2000", "500"],
        ["judge", "digits", "a", "c"],
        ["origin", "torch", "2.9", "2.11"],
    ]
    assert differences([side(mine, "first"), side(other(mine), "second")]).empty
