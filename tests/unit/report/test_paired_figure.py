"""Pairs of runs of equal seeds in a figure, and the numbers at risk below survival curves."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from compared_methods import runs, study

from ganbench.analysis.collected import Collected
from ganbench.analysis.pairing import paired_runs
from ganbench.report.figures import draw

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
    assert "7 to 0 of 8\n3 without a difference" in [text.get_text() for text in axes.texts]
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
    assert "0 to 9 of 9" in [text.get_text() for text in axes.texts], "where more is better, the second wins"
    assert [point[1] for point in axes.collections[0].get_segments()[0]] == [2, 2], "the second still scores 2 more"


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
    curve = next(line for line in axes.lines if len(line.get_xdata()) > 3)
    assert curve.get_ydata().tolist()[:5] == pytest.approx([1, 11 / 12, 10 / 12, 9 / 12, 8 / 12])
