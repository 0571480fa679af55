"""Pairs of runs of equal seeds in a figure, and the numbers at risk below survival curves."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pandas as pd
import pytest
from compared_methods import runs, study

from ganbench.analysis.collected import Collected
from ganbench.analysis.pairing import paired_runs
from ganbench.report.figures import draw, survival
from ganbench.report.plotting import style
from ganbench.report.plotting.method_lines import method_styles

ONE, TWO = (100, 0.1), (400, 0.1)


def made(collected: Collected) -> Collected:
    """Scores 1 to 8 against 3 to 10, so that every pair differs by 2; in two pairs of eight one run alone failed, in
    one both."""
    return study(collected, {"a": {ONE: runs("fffffffc")}, "b": {ONE: runs("ffffccfc", value=3.0)}})


def test_partners_are_found_in_any_order(collected):
    first, second = (made(collected).runs.query(f"method == '{name}'") for name in "ab")
    pairs = paired_runs(first, second.iloc[::-1], ["n_train", "seed"])
    assert pairs[1]["seed"].to_list() == pairs[0]["seed"].to_list() == list(range(8))
    assert paired_runs(first, second.iloc[1:], ["n_train", "seed"]) is None
    assert paired_runs(first, pd.concat([second, second]), ["n_train", "seed"]) is None


def test_every_pair_is_a_dot_or_is_counted(collected):
    (axes,) = draw(made(collected), "pairs").axes
    dots = [float(line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"]
    assert dots == [2.0] * 5
    assert {"won by first 7, by second 0\n1 tie", "only the second failed: 2"} == {t.get_text() for t in axes.texts}
    edge = next(line for line in axes.lines if line.get_marker() == "^")
    assert len(edge.get_xdata()) == 2
    assert edge.get_ydata()[0] > 0.9, "on the side on which the first is better"
    assert axes.get_ylabel().endswith("← second better      first better →")
    # Sorted, the differences are 0 where both failed, five times 2, and twice infinite: eight pairs hold the median
    # with 95% between the first and the last alone.
    assert not axes.collections


def test_the_median_of_many_pairs_has_an_interval(collected):
    better = study(collected, {"a": {ONE: runs("f" * 9)}, "b": {ONE: runs("f" * 9, value=3.0)}})
    (axes,) = draw(better, "pairs").axes
    (bar,) = axes.collections
    assert [point[1] for point in bar.get_segments()[0]] == [2, 2]
    high = {name: dataclasses.replace(info, best="high") for name, info in better.metrics.items()}
    (axes,) = draw(dataclasses.replace(better, metrics=high), "pairs").axes
    words = [text.get_text() for text in axes.texts]
    assert words == ["won by first 9, by second 0\n0 ties"], "where more is better, b ranks first"
    assert axes.get_ylabel().endswith("← first better      second better →")
    assert [point[1] for point in axes.collections[0].get_segments()[0]] == [-2, -2], "a still scores 2 less"
    low, high = axes.get_ylim()
    assert low < -2 < 0 < high < 1, "the axis has room for the differences and zero, and not for as much on both sides"


def test_neighbours_in_the_ranking_are_shown_first_and_what_is_left_out_is_counted(collected):
    methods = {name: {ONE: runs("f" * 9, value=value)} for name, value in zip("edcba", (9, 5, 3, 2, 1), strict=True)}
    with style.applied():
        figure = draw(study(collected, methods), "pairs")
        figure.canvas.draw()
    (axes,) = figure.axes
    labels = [label.get_text().replace("first: ", "").replace("\nsecond: ", "") for label in axes.get_xticklabels()]
    assert labels[:4] == ["ab", "bc", "cd", "de"]
    assert len(labels) == 6
    assert axes.get_title("right") == "6 of 10 pairs of methods are shown"
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text().startswith("won")]
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))


def test_runs_without_partners_have_no_figure_of_pairs(collected):
    (axes,) = draw(study(collected, {"a": {ONE: runs("fff")}, "b": {TWO: runs("fff")}}), "pairs").axes
    assert axes.texts[0].get_text().startswith("No two methods")


def test_the_numbers_at_risk_stand_below_survival_curves(collected):
    """Of twelve runs, four fail at the steps 100 to 400 and eight end at 2000: twelve are at risk at the start, and
    those that end at a step count there."""
    (axes,) = draw(study(collected, {"a": {ONE: runs("c" * 4, "f" * 8)}}), "survival").axes
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= 2000]
    rows = [text for text in axes.texts if text.get_text().isdigit()]
    assert [text.xy[0] for text in rows] == ticks
    assert [int(text.get_text()) for text in rows] == [12 if tick == 0 else 8 for tick in ticks]
    assert ticks[1] > 400
    sample = next(line for line in axes.lines if tuple(line.get_xdata()) == survival.SAMPLE)
    assert sample.get_color() == method_styles(1)[0]["color"], "the numbers of a method stand beside its line"
    curve = next(line for line in axes.lines if len(line.get_xdata()) > 3)
    assert curve.get_ydata().tolist()[:5] == pytest.approx([1, 11 / 12, 10 / 12, 9 / 12, 8 / 12])


def test_a_survival_curve_ends_with_the_runs_and_counts_what_speaks_for_nothing(collected):
    """Two of b's four runs are at a setting of its own; of a's four, three neither failed nor learned."""
    short = study(collected, {"a": {ONE: runs("cfff")}, "b": {ONE: runs("ff"), TWO: runs("ff")}})
    of_a = short.runs["method"] == "a"
    table = short.runs.assign(steps=short.runs["steps"].where(~of_a, 800))
    table.loc[of_a & (table["outcome"] == "converged"), "outcome"] = "not-learned-yet"
    (axes,) = draw(dataclasses.replace(short, runs=table), "survival").axes
    first, second = (line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert (first.get_xdata()[-1], second.get_xdata()[-1]) == (800, 2000)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "a (1 of 4 failed, 3 not learned)",
        "b (0 of 4 failed; 2 at settings of its own)",
    ]


def test_cells_tell_runs_that_had_not_learned_from_those_that_did_not_fail(collected):
    grid = {(n, rate): runs("fffc") for n in (100, 400) for rate in (0.1, 0.2)}
    made = study(collected, {"a": grid})
    idle = (made.runs["n_train"] == 100) & (made.runs["outcome"] == "converged")
    made = dataclasses.replace(made, runs=made.runs.assign(outcome=made.runs["outcome"].mask(idle, "not-learned-yet")))
    for kind in ("failure_rate", "interactions"):
        axes = draw(made, kind).axes[0]
        assert [text.get_text() for text in axes.texts] == ["1/4\n3 not learned"] * 2 + ["1/4"] * 2
        assert [patch.get_xy()[1] for patch in axes.patches if patch.get_hatch()] == [0, 0]


def test_where_runs_fail_is_not_drawn_where_how_they_ended_has_the_same_counts(collected):
    one_size = study(collected, {"a": {(100, rate): runs("ffc") for rate in (0.1, 0.2)}})
    assert draw(one_size, "failure_rate").get_label().startswith("No method was run with several numbers of examples")
