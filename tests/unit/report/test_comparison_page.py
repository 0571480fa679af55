"""The report of studies side by side: one file that loads nothing, whose tables explain their columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from html_page import HOSTILE, Page
from sides_example import other, side

from ganbench.report.comparison_page import write


@pytest.fixture(scope="module")
def folder(collected, tmp_path_factory) -> Path:
    """The report of a study beside one whose runs all diverged, and which has few of the settings."""
    keep = (collected.runs["architecture"] == "fc") & (collected.runs["n_train"] != 1400)
    worse = side(other(collected, keep, outcome="diverged", failed_step=10), "worse")
    return write([side(collected, "good"), replace(worse, title=HOSTILE)], tmp_path_factory.mktemp("there")).parent


def test_the_page_says_what_is_shared_and_what_tests_find(folder):
    page = Page((folder / "report.html").read_text())
    text = " ".join(" ".join(page.words).split())
    assert page.open == []
    assert "script" not in page.tags
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert HOSTILE in text
    assert "6 settings are in more than one of the studies." in text
    assert "15 settings are in good only: digits, fc, 1400 examples, rate 0.0002;" in text
    assert "3 tests between studies, of which 3 find a difference by adjusted p-values." in text
    assert "good: digits-fc against worse: x-digits-fc: " in text
    assert "18 of 18 runs failed, a difference of -" in text
    assert "Settings, training and seeds are equal, and digests are not" in text
    assert {"findings", "settings", "tests", "differences"} <= set(page.ids)


def test_the_figures_lie_beside_the_page_and_in_it(folder):
    names = {path.name for path in folder.iterdir()}
    figures = {f"{name}.{kind}" for name in ("scores-1", "failure-rates") for kind in ("svg", "png")}
    assert names == figures | {"report.html", "COLUMNS.md", "settings.csv", "comparisons.csv", "differences.csv"}
    assert (
        sum(address.startswith("data:image") for address in Page((folder / "report.html").read_text()).addresses) == 2
    )


def test_every_column_is_explained(folder):
    notes = (folder / "COLUMNS.md").read_text()
    for name in ("settings", "comparisons", "differences"):
        (section,) = [part for part in notes.split("\n## ") if part.startswith(f"{name}\n")]
        for column in pd.read_csv(folder / f"{name}.csv", nrows=0).columns:
            assert f"\n| `{column}` | " in section, (name, column)


def test_studies_without_a_common_setting_have_a_page_too(collected, tmp_path):
    text = write([side(collected, "one"), side(other(collected, architecture="mine"), "two")], tmp_path).read_text()
    assert "0 settings are in more than one of the studies." in text
    assert {path.name for path in tmp_path.glob("*.svg")} == {"failure-rates.svg"}
