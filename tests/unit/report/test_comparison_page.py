"""The report of studies side by side: one file that loads nothing, whose tables explain their columns."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from html_page import HOSTILE, Page
from sides_example import other, side

from ganbench.analysis.side_by_side import settings
from ganbench.report import study_figures
from ganbench.report.comparison_page import write


@pytest.fixture(scope="module")
def folder(collected, tmp_path_factory) -> Path:
    """The report of a study beside one whose runs all diverged, and which has few of the settings."""
    keep = (collected.runs["architecture"] == "fc") & (collected.runs["n_train"] != 1400)
    worse = side(other(collected, keep, outcome="diverged", failure_onset=10), "worse")
    return write([side(collected, "good"), replace(worse, title=HOSTILE)], tmp_path_factory.mktemp("there")).parent


def test_the_page_says_what_is_shared_and_what_tests_find(folder):
    page = Page((folder / "report.html").read_text())
    text = " ".join(" ".join(page.words).split())
    assert page.open == []
    assert page.foreign == []
    assert len(page.scripts) == 1
    assert HOSTILE in text
    assert "6 settings are in more than one of the studies." in text
    assert "15 settings are in good only: digits, fc, 1400 examples, rate 0.0002;" in text
    # Three seeds of each have 20 ways to be dealt anew, too few for the test of scores.
    assert "3 tests between studies, of which 2 find a difference by adjusted p-values." in text
    assert "good: digits-fc against worse: x-digits-fc: " in text
    assert "18 of 18 runs failed, a difference of -" in text
    assert "Settings, training and seeds are equal, and digests are not" in text
    assert re.search(r" p [=<] 0\.\d+ McNemar \d", text), "the test of failures stands below its p-value"
    assert {"findings", "settings", "tests", "differences"} <= set(page.ids)


def test_the_figures_lie_beside_the_page_and_in_it(folder):
    names = {path.name for path in folder.iterdir()}
    figures = {f"{name}.{kind}" for name in ("scores-1", "failure-rates") for kind in ("svg", "png")}
    assert names == figures | {"report.html", "COLUMNS.md", "settings.csv", "comparisons.csv", "differences.csv"}
    addresses = Page((folder / "report.html").read_text()).addresses
    assert sum(address.startswith("data:image") for address in addresses) == 2
    assert {address for address in addresses if address.endswith(".svg")} == {"scores-1.svg", "failure-rates.svg"}


def test_every_column_is_explained(folder):
    notes = (folder / "COLUMNS.md").read_text()
    for name in ("settings", "comparisons", "differences"):
        (section,) = [part for part in notes.split("\n## ") if part.startswith(f"{name}\n")]
        for column in pd.read_csv(folder / f"{name}.csv", nrows=0).columns:
            assert f"\n| `{column}` | " in section, (name, column)


def test_studies_without_a_common_setting_have_a_page_too(collected, tmp_path):
    text = write([side(collected, "one"), side(other(collected, architecture="mine"), "two")], tmp_path).read_text()
    assert "No setting is in more than one of the studies." in text
    assert "None, since no method is in two studies." in text
    assert "Scores of one and two on digits compare in fd, modes, high_quality and mode_reverse_kl." in text
    assert {path.name for path in tmp_path.glob("*.svg")} == {"failure-rates.svg"}


def test_the_page_says_which_scores_compare(collected, tmp_path):
    one, two = side(collected, "one"), side(other(collected), "two")
    two = replace(two, judges={"digits": "c", "ring8": "b"}, metrics=two.metrics | {"modes": "modes(fair=1)"})
    text = write([one, two], tmp_path).read_text()
    assert "Scores of one and two on digits do not compare: the judges differ, in their options, their data" in text
    words = "ring8 compare in fd, high_quality and mode_reverse_kl; they measure modes with different options."
    assert f"Scores of one and two on {words}" in text
    assert {path.name for path in tmp_path.glob("scores-*.svg")} == {"scores-2.svg"}, "of ring8 alone"


def test_what_was_trained_otherwise_is_a_finding_and_stands_in_sight(collected, tmp_path):
    one, two = side(collected, "one"), side(other(collected), "two")
    two = replace(two, training={run: each | {"steps": 4000} for run, each in two.training.items()})
    page = Page(write([one, two], tmp_path).read_text())
    text = " ".join(" ".join(page.words).split())
    assert "Trained otherwise: steps 2000 / 4000 (one: digits-fc and two: x-digits-fc; " in text
    row = text.partition("Adjusted p-value of scores")[2]
    assert "trained otherwise: steps 2000 / 4000 3 " in row, "below the method, before its numbers"
    assert re.search(r" 0 -\d+ to \d+ ", row), "the difference has its interval"
    assert "Fréchet distance" in row


def test_the_figures_have_a_mark_per_run_and_an_interval_per_setting(collected):
    sides = [side(collected, "one"), side(other(collected, outcome="diverged", failure_onset=10), "two")]
    table = settings(sides)
    mine = table[table["dataset"] == "digits"]
    axes = study_figures.scores(sides, mine, "fd", collected.metrics["fd"]).axes[0]
    assert axes.get_yticklabels()[0].get_text() == "digits, fc, 100 examples, rate 0.0002"
    circles = [line for line in axes.lines if line.get_marker() == "o" and line.get_clip_on()]
    drawn = np.concatenate([line.get_xdata() for line in circles])
    hollow = [line for line in circles if line.get_markerfacecolor() == "white"]
    bad = collected.runs["outcome"].isin(["collapsed", "discriminator-won"]) & (collected.runs["dataset"] == "digits")
    hollow = np.concatenate([line.get_xdata() for line in hollow])
    assert sorted(hollow[np.isfinite(hollow)]) == sorted(collected.runs.loc[bad, "fd_final"].dropna())
    runs = collected.runs[(collected.runs["dataset"] == "digits") & (collected.runs["outcome"] != "diverged")]
    assert sorted(drawn[np.isfinite(drawn)]) == sorted(runs["fd_final"].dropna()), "none of the runs that diverged"
    beside = sum(int(text.get_text().removesuffix(" n/a")) for text in axes.texts)
    assert beside == 2 * (collected.runs["dataset"] == "digits").sum() - len(runs), "but these are counted"
    lines = study_figures.failures(table, ["one", "two"]).axes[0].lines
    ends = [tuple(line.get_xdata()) for line in lines if len(line.get_xdata()) == 2]
    assert ends == list(zip(table["failure_low"], table["failure_high"], strict=True))
