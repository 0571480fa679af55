"""Figures of many seeds: distributions in place of runs, with the odd runs named and the failures in sight."""

from __future__ import annotations

import time

import numpy as np
import pytest
from many_seeds import ODD, many_seeds
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ganbench.analysis.collected import Collected
from ganbench.report.figures import draw
from ganbench.report.plotting import style
from ganbench.report.plotting.many_runs import (
    BAR,
    MAX_SINGLE,
    NAMED,
    SPANS,
    Course,
    draw_courses,
    draw_spans,
    draw_values,
)
from ganbench.report.plotting.style import OUTCOME_COLOURS

SEEDS = 40
METHOD = "digits-net"


@pytest.fixture(scope="module")
def many(collected) -> Collected:
    return many_seeds(collected, SEEDS)


def panel() -> Axes:
    return Figure().add_subplot()


def drawn_by(axes: Axes, courses: list[Course]) -> list[int]:
    """The courses that are drawn one by one."""
    alone: list[int] = []
    draw_courses(axes, courses, alone.append, "#000000")
    return alone


def names(axes: Axes) -> set[str]:
    return {name for text in axes.texts for name in text.get_text().split(", ")}


def test_few_runs_are_drawn_one_by_one():
    courses = [Course(f"s{seed}", np.arange(3.0), np.full(3, seed)) for seed in range(MAX_SINGLE)]
    axes = panel()
    assert drawn_by(axes, courses) == list(range(MAX_SINGLE))
    assert not axes.lines
    assert not axes.collections
    assert not axes.texts


def test_bands_are_quantiles_and_the_farthest_runs_are_named():
    """Of the values 0 to 100, one of them moved to 500: the quantiles are the values themselves."""
    levels = np.arange(101.0)
    levels[37] = 500.0
    expected = np.quantile(levels, [0.05, 0.95, 0.25, 0.75, 0.5])
    axes = panel()
    axes.set_ylim(0, 600)
    alone = drawn_by(axes, [Course(f"s{seed}", np.arange(4.0), np.full(4, level)) for seed, level in enumerate(levels)])
    assert alone[0] == 37
    assert len(alone) == NAMED
    assert {f"s{seed}" for seed in alone} == names(axes)
    (median,) = axes.lines
    assert median.get_ydata().tolist() == [expected[4]] * 4
    reach = [sorted({point[1] for point in band.get_paths()[0].vertices}) for band in axes.collections]
    assert reach == [pytest.approx(expected[:2]), pytest.approx(expected[2:4])]


def test_runs_that_ended_are_in_the_bands_until_then():
    whole = [Course(f"s{seed}", np.arange(5.0), np.full(5, 1.0)) for seed in range(40)]
    short = [Course(f"t{seed}", np.arange(2.0), np.full(2, 9.0)) for seed in range(60)]
    gone = [Course("u", np.array([]), np.array([])), Course("v", np.arange(5.0), np.full(5, np.nan))]
    axes = panel()
    drawn_by(axes, [*whole, *short, *gone])
    assert axes.lines[0].get_ydata().tolist() == [9, 9, 1, 1, 1]
    assert drawn_by(panel(), gone * 20) == [], "without any value there is nothing to draw"


def test_a_histogram_holds_every_value_by_its_outcome(many):
    runs = many.runs[many.runs["learning_rate"] == 0.01]
    values = runs["fd_final"].to_numpy()
    axes, alone = panel(), []
    axes.set_yscale("log")
    axes.set_ylim(1, 100)
    shown = [f"s{seed}" for seed in runs["seed"]]
    draw_values(axes, 2.0, 0.4, values, runs["outcome"].to_numpy(), shown, lambda *mark: alone.append(mark))
    for outcome in ("converged", "collapsed"):
        bars = [bar for bar in axes.patches if bar.get_facecolor()[:3] == pytest.approx(rgb(outcome))]
        lengths = np.array([bar.get_width() for bar in bars])
        total = sum(bar.get_width() for bar in axes.patches)
        share = (runs["outcome"][np.isfinite(values)] == outcome).mean()
        assert lengths.sum() / total == pytest.approx(share)
        assert all(1.6 <= bar.get_x() <= bar.get_x() + bar.get_width() <= 2.4 + 1e-9 for bar in bars)
    assert len(alone) == NAMED
    assert len(names(axes)) == NAMED


def test_spans_of_many_runs_are_shares_of_runs():
    """Ten of forty runs have a span over the first half, one of them twice: once more within it."""
    owners = np.array([*range(10), 0])
    left, right = np.zeros(11), np.array([0.499] * 10 + [0.1])
    axes = panel()
    draw_spans(axes, 2.0, left, right, owners, 40, "#000000")
    assert axes.texts[0].get_text() == "25%"
    heights = 2.4 - axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(0.8)
    x, y = axes.collections[0].get_paths()[0].vertices.T
    assert x[2.4 - y > 0.4].max() == pytest.approx(0.5, abs=1 / SPANS)
    few = panel()
    draw_spans(few, 2.0, left, right, owners, MAX_SINGLE, "#000000")
    assert len(few.patches) == 11


def test_spans_between_snapshots_are_counted_up_to_the_end():
    """Of four runs one hops between the snapshots at 0 and 0.1, all but one between 0.5 and the end."""
    axes = panel()
    left, right, owners = np.array([0, 0.5, 0.5, 0.5]), np.array([0.1, 1, 1, 1]), np.array([3, 0, 1, 2])
    draw_spans(axes, 0.0, left, right, owners, 4, "#000000", counted=True)
    assert axes.texts[0].get_text() == "75%"
    x, y = axes.collections[0].get_paths()[0].vertices.T
    height = {at: 0.4 - y[x == at].min() for at in (0, 0.5, 1)}
    assert height == pytest.approx({0: 0.8 / 3, 0.5: 0.8, 1: 0.8})
    axes = panel()
    draw_spans(axes, 0.0, np.array([1.0]), np.array([1.0]), np.array([0]), 4, "#000000")
    assert axes.patches[0].get_x() + axes.patches[0].get_width() == pytest.approx(1), "within the panel"


def rgb(outcome: str) -> tuple[float, ...]:
    return to_rgb(OUTCOME_COLOURS[outcome])


@pytest.mark.parametrize("kind", ["losses", "progress", "quality"])
def test_figures_of_many_seeds_show_failures_and_the_odd_run(many, kind):
    with style.applied():
        figure = draw(many, kind, None if kind == "quality" else METHOD)
    assert any(f"s{ODD}" in names(axes) for axes in figure.axes)
    if kind != "quality":
        bars = [patch for patch in figure.axes[1].patches if isinstance(patch, Rectangle) and patch.get_x() == BAR[0]]
        assert sorted(bar.get_height() for bar in bars) == pytest.approx(heights(many))
        first = [patch for patch in figure.axes[0].patches if patch.get_x() == BAR[0]]
        assert [bar.get_height() for bar in first] == [1], "none failed"
    lines = sum(len(axes.lines) for axes in figure.axes)
    assert lines < 30, "not one line per run"


def heights(many: Collected) -> list[float]:
    runs = many.runs[many.runs["learning_rate"] == 0.01]
    shares = [(runs["outcome"] == outcome).mean() for outcome in ("collapsed", "diverged")]
    return sorted([*shares, 1.0])


def test_time_grows_no_faster_than_the_number_of_runs_and_what_is_drawn_not_at_all():
    spent, parts = [], []
    for seeds in (500, 4000):
        values = np.random.default_rng(5).normal(size=(seeds, 100))
        courses = [Course(f"s{seed}", np.arange(100.0), each) for seed, each in enumerate(values)]
        axes, start = panel(), time.process_time()
        drawn_by(axes, courses)
        spent.append(time.process_time() - start)
        parts.append((len(axes.lines), len(axes.collections)))
    assert spent[1] < 2 * 8 * spent[0]
    assert parts[0] == parts[1] == (1, 2)
