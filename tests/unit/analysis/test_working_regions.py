"""The regions in which methods work, of made-up runs along learning rates and along an option of a component."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from compared_methods import runs, study

from ganbench.analysis.region_sentences import region_sentences
from ganbench.analysis.working_regions import COLUMNS, working_regions, working_regions_table
from ganbench.report.figures import draw
from ganbench.report.paper_tables import paper_tables

RATES = (0.001, 0.01, 0.1)


@pytest.fixture(scope="module")
def made(collected):
    """A method that works at all rates, and one that works at the middle one, twelve runs a rate."""
    wide = {(100, rate): runs("f" * 12) for rate in RATES}
    narrow = dict(zip(wide, (runs("n" * 12), runs("f" * 12), runs("c" * 12)), strict=True))
    return study(collected, {"wide": wide, "narrow": narrow})


def test_runs_that_have_not_learned_do_not_work(made):
    table = working_regions_table(made)
    assert list(table) == list(COLUMNS)
    wide, narrow = table.to_dict("records")
    assert (wide["width"], wide["width_low"], wide["width_high"]) == pytest.approx((2, 2, np.inf))
    assert (wide["open_below"], wide["open_above"], wide["healthy"]) == (True, True, 36)
    assert narrow["width"] == pytest.approx(1)
    assert (narrow["start"], narrow["end"]) == pytest.approx((10**-2.5, 10**-1.5))
    assert (narrow["open_below"], narrow["open_above"], narrow["healthy"], narrow["runs"]) == (False, False, 12, 36)
    assert 0 < narrow["width_low"] < 1 < narrow["width_high"] < 2


def test_a_sentence_compares_the_widest_with_the_narrowest(made, collected):
    (text,) = region_sentences(made)
    lines = "by straight lines between values, 95% interval"
    assert (
        f" at 0.001, 0.01 and 0.1 (at least 2 decades {lines} 2 decades or more) for wide and at 0.01 (1 decade {lines}"
        in text
    )
    assert text.endswith("differ, by intervals that hold for all of them at once.")
    few = {"a": {(100, rate): runs("fff") for rate in RATES}, "b": {(100, rate): runs("ccc") for rate in RATES}}
    (text,) = region_sentences(study(collected, few))
    assert "(at least 2 decades by straight lines between values) for a and at none of them for b." in text
    assert text.endswith(" 3 runs a value cannot bound any width, whatever they show; 7 could.")
    even = {"a": {(100, rate): runs("f" * 7) for rate in RATES}, "b": {(100, rate): runs("fffcccc") for rate in RATES}}
    (text,) = region_sentences(study(collected, even))
    assert "at none of them (95% interval 0 decades or more) for b." in text
    assert text.endswith("do not tell the widest and the narrowest apart.")


def test_a_width_that_is_not_known_is_not_the_narrowest(collected):
    """A group with undetermined runs says nothing of how narrow it is, and the two others differ."""
    wide, narrow, unknown = ("f", "f", "f"), ("n", "f", "c"), ("f", "f", "u")

    def told(**outcomes: tuple[str, ...]) -> str:
        methods = {
            name: {(100, rate): runs(each * 12) for rate, each in zip(RATES, found, strict=True)}
            for name, found in outcomes.items()
        }
        (text,) = region_sentences(study(collected, methods))
        return text

    text = told(unknown=unknown, narrow=narrow, wide=wide)
    assert text.index("for wide, ") < text.index("for narrow and over a width that undetermined runs leave open (95% ")
    assert text.endswith(" The widest and the narrowest known differ, by intervals that hold for all of them at once.")
    many = told(**{f"unknown{index}": unknown for index in range(3)}, narrow=narrow, wide=wide)
    assert "for wide and at 0.01 (1 decade by straight lines between values, 95% interval" in many
    assert "narrowest of 5 regions, of which undetermined runs leave 3 open; tables/working_regions.csv" in many
    assert many.endswith(" The widest and the narrowest known differ, by intervals that hold for all of them at once.")
    none = told(**{f"unknown{index}": unknown for index in range(5)})
    assert none.endswith(
        " These are 4 of 5 regions, of which undetermined runs leave 5 open; tables/working_regions.csv has all."
    )


def test_other_axes_of_a_method_are_counted_together_where_they_are_the_same_everywhere(collected):
    """Of two numbers of examples, one of which fails at the last rate; then without it at the first rate."""
    grid = {(n_train, rate): runs("ffffff") for n_train in (100, 400) for rate in RATES}
    grid[100, 0.1] = runs("cccccc")
    (found,) = [each for each in working_regions(study(collected, {"a": grid})) if each.axis == "learning_rate"]
    assert (found.group, [rate.count for rate in found.rates]) == ("a", [12, 12, 6])
    assert found.region().pieces[0] == pytest.approx((-3, -1)), "half is reached at the very end"
    del grid[100, 0.001]
    names = [each.group for each in working_regions(study(collected, {"a": grid})) if each.axis == "learning_rate"]
    assert names == ["a, 400 training examples"], "the other number has two rates left"


def test_two_values_are_no_axis(collected):
    two = study(collected, {"a": {(100, rate): runs("ffff") for rate in RATES[:2]}})
    assert working_regions(two) == []
    assert working_regions_table(two).empty
    assert list(region_sentences(two)) == []


def test_methods_that_differ_in_an_option_alone_lie_on_one_axis(collected):
    """Of the weights 0, 0.1, 1 and 10 of a penalty, zero has no place on the axis; the other penalty is apart."""
    base = study(collected, {f"net-r1-{weight}": {(100, 0.1): runs("ffff")} for weight in (0, 0.1, 1, 10)})
    weights = base.runs["method"].str.rpartition("-")[2].astype(float)
    signatures = [f"strong = r1(gamma={weight})" for weight in weights]
    other = base.runs.assign(regularizer="r2", regularizer_gamma=0.5, method="net-r2").iloc[:4]
    table = base.runs.assign(regularizer=signatures, regularizer_gamma=weights)
    mixed = dataclasses.replace(base, runs=type(table)([*table.to_dict("records"), *other.to_dict("records")]))
    (found,) = working_regions(mixed)
    assert (found.axis, found.group, found.values.tolist()) == ("regularizer_gamma", "net-r1", [0.1, 1, 10])
    assert (len(found.runs), found.left_out) == (12, 4)
    assert next(region_sentences(mixed)).startswith("digits: along the regularizer gamma, run at 3 values")


def test_the_figure_and_the_paper_show_every_group(made):
    (axes,) = draw(made, "working_regions").axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["wide (≥ 2 decades)", "narrow (1 decade)"]
    bars = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 4]
    np.testing.assert_allclose(bars, [[0.001, 0.1], [10**-2.5, 10**-1.5]])
    (table,) = paper_tables(made, {"study": "example", "grid": {}, "train": {}})["working-regions"]
    assert [row[5:7] for row in table.rows] == [["0.001 to 0.1", "below and above"], ["0.00316 to 0.0316", ""]]
    assert all(len(row) == len(table.heads) for row in table.rows)
