"""Interactions of grid axes, of made-up runs: what is crossed, what counts, and what is said."""

from __future__ import annotations

import dataclasses

import pytest
from compared_methods import runs, study

from ganbench.analysis.axis_interactions import COLUMNS, crossings, interactions_table
from ganbench.analysis.collected import Collected
from ganbench.analysis.interaction_sentences import interaction_sentences
from ganbench.analysis.statistics.multiplicity import false_discovery_adjusted
from ganbench.report.figures import draw

LOW, HIGH = (100, 0.001), (100, 0.1)


def with_regularizers(made: Collected) -> Collected:
    """Methods that are named after their regularizers."""
    return dataclasses.replace(made, runs=made.runs.assign(regularizer=made.runs["method"]))


@pytest.fixture(scope="module")
def made(collected):
    """Without a penalty every run fails at the high rate, with one none does."""
    penalised = {LOW: runs("f" * 12), HIGH: runs("f" * 12)}
    return with_regularizers(study(collected, {"none": {LOW: runs("f" * 12), HIGH: runs("c" * 12)}, "r1": penalised}))


def test_what_one_axis_does_at_one_value_of_another_is_found(made):
    table = interactions_table(made)
    assert list(table) == list(COLUMNS)
    (row,) = table.to_dict("records")
    assert (row["first"], row["second"], row["blocks"], row["runs"]) == ("regularizer", "learning_rate", 12, 48)
    assert (row["failure_at_from"], row["failure_at_to"], row["failure_difference"]) == (1, 0, -1)
    assert row["failure_p_value"] == 2 / 2**12, "all twelve seeds show it"
    assert row["failure_low"] < -1 < row["failure_high"] < 0
    assert row["rank_p_value"] < 0.01
    (text,) = interaction_sentences(made)
    assert "the effect of the learning rate depends on the regularizer, by 12 settings and seeds" in text
    assert "from 0.001 to 0.1 the percentage of failed runs changes by 100 at none and by 0 at r1" in text
    assert "show it too" in text


def test_every_question_is_a_family_of_its_own(collected):
    table = interactions_table(collected)
    assert len(table) == 3
    for question in ("failure", "rank"):
        adjusted = false_discovery_adjusted(table[f"{question}_p_value"])
        assert table[f"{question}_p_value_adjusted"].to_list() == pytest.approx(adjusted.tolist())
    assert list(interaction_sentences(collected)) == [], "none is found"


def test_blocks_that_decide_nothing_whatever_they_show_are_said_to_be_too_few(collected):
    """Of five patterns of signs, one in sixteen is the least; six blocks have one in 32."""

    def told(seeds: int) -> tuple[float, list[str]]:
        both = {"none": {LOW: runs("f" * seeds), HIGH: runs("c" * seeds)}, "r1": {LOW: runs("f" * seeds)}}
        both["r1"][HIGH] = runs("f" * seeds)
        made = with_regularizers(study(collected, both))
        return interactions_table(made)["min_p_value"].item(), list(interaction_sentences(made))

    least, (text,) = told(5)
    assert least == 1 / 16
    assert text == (
        "digits: whether the effect of one axis depends on another cannot be decided for 1 pair of axes, whatever their"
        " runs show: 5 settings and seeds with runs at all combinations have p = 0.062 at the least; 6 could."
    )
    least, (text,) = told(6)
    assert least == 1 / 32
    assert "depends on the regularizer, by 6 settings and seeds" in text


def test_only_crossed_values_and_whole_blocks_count(collected):
    """Of three rates one was run with one penalty alone, and of one seed a run is missing."""
    more = {LOW: runs("f" * 4), (100, 0.01): runs("f" * 4), HIGH: runs("f" * 4)}
    mixed = with_regularizers(study(collected, {"none": more, "r1": {LOW: runs("f" * 4), HIGH: runs("f" * 3)}}))
    (found,) = crossings(mixed)
    assert found.values == (("none", "r1"), (0.001, 0.1))
    assert found.runs["seed"].to_list() == [seed for seed in range(3) for _ in range(4)]
    table = interactions_table(mixed)
    assert table["failure_p_value"].isna().all(), "no run failed"
    alone = with_regularizers(study(collected, {"none": {LOW: runs("ff")}, "r1": {HIGH: runs("ff")}}))
    assert list(crossings(alone)) == []
    assert interactions_table(alone).empty


def test_failures_are_not_compared_where_some_are_not_known(made):
    unknown = made.runs["outcome"].mask(made.runs.index == 0, "undetermined")
    (row,) = interactions_table(dataclasses.replace(made, runs=made.runs.assign(outcome=unknown))).to_dict("records")
    assert row["undetermined"] == 1
    assert row["failure_p_value"] != row["failure_p_value"], "empty"
    assert row["rank_p_value"] <= 1


def test_the_figure_counts_failures_in_every_cell(made):
    axes = draw(made, "interactions").axes[0]
    assert [text.get_text() for text in axes.texts] == ["0/12", "12/12", "0/12", "0/12"]
    assert axes.get_title("right").startswith("failures p < 0.001, ranks p")
