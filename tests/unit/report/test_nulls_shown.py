"""Nulls in findings, tables, figures and the page: what real data score stands beside every value."""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from pathlib import Path

import collected_example
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ganbench.analysis.collected import Collected
from ganbench.analysis.findings import Statement, findings
from ganbench.analysis.nulls import NullInterval, noise_of, null_of
from ganbench.analysis.settings import settings_table
from ganbench.core.formatting import format_number
from ganbench.core.metric_info import MetricInfo
from ganbench.report import figures, html
from ganbench.report.method_tables import method_tables
from ganbench.report.plotting.null_band import draw_noise, draw_null, noise_legend, null_legend, shown_with
from ganbench.report.plotting.setting_panels import metric_scale
from ganbench.report.provenance import references


def with_null(collected: Collected, low: float, high: float) -> Collected:
    """The example with another null of the Fréchet distance."""
    mine = collected.nulls["metric"] == "fd"
    changed = {"mean": (low + high) / 2, "low": low, "high": high}
    return dataclasses.replace(
        collected,
        nulls=collected.nulls.assign(
            **{name: collected.nulls[name].mask(mine, value) for name, value in changed.items()}
        ),
    )


def test_a_value_is_like_real_data_within_its_null_and_to_the_last_digit_of_a_sum():
    null = NullInterval(2.0, 1.0, 3.0)
    assert [null.contains(value) for value in (1.0, 2.5, 3.0, 0.99, 3.01, np.nan, np.inf)] == [True] * 3 + [False] * 4
    alone = NullInterval(0.3, 0.3, 0.3)
    assert alone.contains(0.1 + 0.2)
    assert not alone.contains(0.3001)


def test_a_null_that_was_not_measured_or_is_not_finite_is_none(collected):
    assert null_of(collected, "digits", "fd") == NullInterval(1.7, pytest.approx(1.53), pytest.approx(1.87))
    assert noise_of(collected, "digits", "fd") == 12.0
    assert np.isnan(noise_of(collected, "digits", "mode_reverse_kl"))
    assert noise_of(with_null(collected, np.nan, np.nan), "digits", "fd") == 12.0, "it needs no null"
    assert null_of(collected, "digits", "mode_reverse_kl") is None
    assert null_of(collected, "elsewhere", "fd") is None
    assert null_of(with_null(collected, np.nan, np.nan), "digits", "fd") is None


def test_a_metric_that_tells_nothing_apart_is_left_out_of_tables_and_said_to_be(collected):
    """A column of ones looks like a success of every run."""
    same = dict.fromkeys(("mean", "low", "high", "noise"), 1.0)
    mine = (collected.nulls["metric"] == "high_quality") & (collected.nulls["dataset"] == "digits")
    nulls = collected.nulls.assign(**{name: collected.nulls[name].mask(mine, 1.0) for name in same})
    blind = dataclasses.replace(
        collected,
        nulls=nulls,
        runs=collected.runs.assign(high_quality_final=1.0),
        snapshots=collected.snapshots.assign(high_quality=1.0),
    )
    table = settings_table(blind)
    digits, ring = (method_tables(blind, table, name) for name in ("digits-fc", "ring8-mlp"))
    assert digits["left_out"] == "High-quality share (1)"
    assert "High-quality share" not in dict(digits["metrics"])
    assert {len(row["cells"]) for row in digits["scores"]} == {len(digits["nulls"])} == {3}
    assert ring["left_out"] == "", "where noise scores otherwise"
    assert "High-quality share" in dict(ring["metrics"])


@pytest.mark.cluster
def test_findings_say_how_many_runs_end_like_real_data(collected):
    @cache
    def found(low: float, high: float) -> list[Statement]:
        return findings(with_null(collected, low, high))

    def said(low: float, high: float, kind: str) -> str:
        return " ".join(each.text for each in found(low, high) if each.kind == kind)

    runs = collected.runs[(collected.runs["dataset"] == "digits") & (collected.runs["outcome"] != "diverged")]
    alike = int(runs["fd_final"].between(0, 10).sum())
    assert alike > 1
    text = said(0, 10, "reference")
    assert "digits: a perfect generator would score 5 (0 to 10 in 95% of samples)" in text
    assert f"; {alike} of them are within the interval of real data in Fréchet distance." in text
    assert "; none of them is within the interval of real data in Fréchet" in said(0, 0.1, "reference")
    assert "within the interval of real data in Fréchet distance, at" in said(0, 1e6, "method"), "the best median"
    assert "within the interval" not in said(0, 0.1, "method")


def test_the_settings_table_has_the_bounds_of_each_null(collected):
    table = settings_table(collected)
    ring = table[table["dataset"] == "ring8"]
    assert ring["fd_null_low"].to_list() == pytest.approx([0.72] * len(ring))
    assert ring["fd_null_high"].to_list() == pytest.approx([0.88] * len(ring))
    assert table["mode_reverse_kl_null_low"].isna().all()


def test_the_table_of_real_data_has_intervals_and_leaves_averages_out(collected):
    twice = pd.concat([collected.references, collected.references.assign(quantity="fd_ema").iloc[:1]])
    rows = references(dataclasses.replace(collected, references=twice))
    assert len(rows) == len(collected.references)
    first = rows[0]
    assert (first["quantity"], first["value"], first["range"]) == ("Fréchet distance", "1.7", "1.53 to 1.87")
    (accuracy,) = [row for row in rows if row["quantity"] == "classifier accuracy"]
    assert accuracy["range"] == ""


# Figures --------------------------------------------------------------------------------------------------------------


def bands(figure: Figure) -> list[tuple[float, float]]:
    """The lower and upper ends of the bands that span panels."""
    found = []
    for axes in figure.axes:
        for patch in axes.patches:
            if isinstance(patch, Rectangle) and patch.get_width() == 1 and patch.get_transform() != axes.transData:
                found.append((patch.get_y(), patch.get_y() + patch.get_height()))
    return found


@pytest.mark.parametrize(("kind", "of"), [("quality", None), ("progress", "ring8-mlp")])
def test_figures_show_a_band_from_the_lower_to_the_upper_bound(collected, kind, of):
    figure = figures.draw(collected, kind, of)
    assert any(band == pytest.approx((0.72, 0.88)) for band in bands(figure))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"real data", "95% of real samples"} <= set(legend)
    bare = dataclasses.replace(collected, nulls=collected.nulls.iloc[:0])
    figure = figures.draw(bare, kind, of)
    assert bands(figure) == []
    assert "real data" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_null_without_spread_is_a_line_and_none_is_nothing():
    axes = Figure().subplots()
    draw_null(axes, None)
    assert not axes.lines
    draw_null(axes, NullInterval(8.0, 8.0, 8.0))
    assert (len(axes.lines), len(axes.patches)) == (1, 0)
    assert [each.get_label() for each in null_legend([None, NullInterval(8.0, 8.0, 8.0)])] == ["real data"]
    assert null_legend([None]) == []


def test_noise_is_drawn_where_a_panel_shows_its_value():
    values = np.array([[5.0, 9.0], [np.nan, np.inf]])
    drawn = []
    for noise in (8.0, 20.0, np.nan):
        axes = Figure().subplots()
        draw_noise(axes, noise, values)
        drawn.append([line.get_ydata()[0] for line in axes.lines])
    assert drawn == [[8.0], [], []]
    assert [each.get_label() for each in noise_legend([(np.nan, values), (8.0, values)])] == ["noise"]
    assert noise_legend([(20.0, values), (8.0, np.full(2, np.nan))]) == []


def test_a_metric_of_either_sign_that_goes_far_beyond_its_null_is_linear_about_it_alone():
    info, null = MetricInfo("Kernel distance", "Mean 0.", "low", None, None), NullInterval(0.0, -0.01, 0.01)
    far, near = Figure().subplots(1, 2)
    metric_scale(far, info, shown_with(null, np.array([-0.004, 0.5, 70.0])), null)
    metric_scale(near, info, shown_with(null, np.array([-0.004, 0.05])), null)
    assert (far.get_yscale(), near.get_yscale()) == ("symlog", "linear")
    assert far.get_ylim()[0] < -0.01
    assert far.get_ylim()[1] > 70
    assert len([tick for tick in far.get_yticks() if -0.02 <= tick <= 105]) < 12


def test_a_panel_has_room_for_its_null():
    values = np.array([5.0, 9.0])
    assert shown_with(None, values) is values
    assert shown_with(NullInterval(2.0, 1.0, 3.0), values).tolist() == [5, 9, 2, 1, 3]
    assert 0 not in shown_with(NullInterval(0.5, 0.0, 1.0), values), "0 would forbid a logarithmic axis"


# The page -------------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_the_page_marks_medians_within_their_null_and_ends_with_real_data(collected, tmp_path):
    shown: list[tuple[str, str | None]] = []
    everything = with_null(collected, 0, 1e6)
    html.render(everything, collected_example.study(), tmp_path, shown, tmp_path / "report.html")
    page = Path(tmp_path / "report.html").read_text()
    ranked, scored = page.split('<section id="overview">')
    rows = re.findall(r'<tr class="null">.*?</tr>', scored)
    assert len(rows) == 3 * everything.runs["method"].nunique()
    assert all(">real data</th>" in row and "<small>0 to 1e6</small>" in row for row in rows[::3])
    assert all(">noise</th>" in row and '<td class="n">12</td>' in row for row in rows[1::3])
    first = everything.snapshots[everything.snapshots["step"] == 0].groupby("method", sort=False)["fd"].median()
    for row, median in zip(rows[2::3], first, strict=True):
        assert ">untrained</th>" in row
        assert f'<td class="n">{format_number(median)}</td>' in row
    beside = re.findall(r'<tr class="null">.*?scope="row">(.*?)</th>', ranked)
    assert beside == ["real data", "noise", "untrained generators"] * everything.runs["dataset"].nunique()
    assert page.count('class="alike"') > 3
    html.render(with_null(collected, 0, 0.01), collected_example.study(), tmp_path, shown, tmp_path / "other.html")
    far = Path(tmp_path / "other.html").read_text()
    assert far.count('class="alike"') < page.count('class="alike"')
