"""`ganbench compare`: studies that ran, and what cannot be compared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from ganbench.cli import app
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.comparing import compare
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run as run_job
from ganbench.study.schema import load

pytestmark = pytest.mark.cluster  # each trains two studies of games first

BLOCK = {"game": "bilinear", "optimizer": "sgd", "seed": {"count": 8}}


def study(folder: Path, name: str, **changes: object) -> Path:
    """A study of games of two numbers, which is trained."""
    block = BLOCK | {"dynamics": ["simultaneous", "extragradient"], "learning_rate": [0.5]} | changes.pop("block", {})
    content = {"study": name, "results": str(folder / "results"), "grid": [block], "train": {"steps": 200}} | changes
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(content))
    plan = Plan(load(path))
    for job in plan.train.values():
        run_job(job)
    return path


def test_studies_that_ran_are_compared_by_what_they_are(tmp_path):
    labelled = {"dynamics": {"name": "simultaneous", "label": "plain"}, "learning_rate": [0.5, 0.1]}
    one, two = study(tmp_path, "one"), study(tmp_path, "two", block=labelled, train={"steps": 300})
    ended = CliRunner().invoke(app, ["compare", str(one), str(two)], catch_exceptions=False)
    folder = tmp_path / "results" / "compare-one-two"
    assert ended.stdout.strip() == str(folder / "report.html")
    (row,) = pd.read_csv(folder / "comparisons.csv").to_dict("records")
    assert (row["first"], row["second"]) == ("one: bilinear-simultaneous", "two: bilinear")
    assert (row["settings"], row["training"], row["pairs"]) == (1, "steps 200 / 300", 8)
    table = pd.read_csv(folder / "settings.csv")
    assert list(table["compared"]) == ["simultaneous", "extragradient", "simultaneous", "simultaneous"]
    assert list(table["studies"]) == [2, 1, 1, 2]


def test_the_same_runs_are_no_evidence(tmp_path):
    one, two = study(tmp_path, "one"), study(tmp_path, "two", block={"seed": {"count": 9}})
    report = compare([one, two], tmp_path / "here")
    assert report == tmp_path / "here" / "report.html"
    for row in pd.read_csv(tmp_path / "here/comparisons.csv").to_dict("records"):
        assert row["same"] == 8
        assert row["note"] == "not tested: 8 runs are the same in both, with equal digests"


def test_what_is_no_comparison_is_refused(tmp_path):
    one = study(tmp_path, "one")
    with pytest.raises(GanbenchError, match=r"two studies or more, each given once; received .*one\.yaml\."):
        compare([one])
    with pytest.raises(GanbenchError, match=r"received .*one\.yaml twice"):
        compare([one, one.parent / "." / one.name])
    again = tmp_path / "again"
    again.mkdir()
    with pytest.raises(GanbenchError, match=r"told apart by their names, and these are one, one; rename one"):
        compare([one, study(again, "one")])
    other = tmp_path / "other.yaml"
    other.write_text(one.read_text().replace('"study": "one"', '"study": "other"'))
    with pytest.raises(GanbenchError, match=r"other\.yaml: there is no folder .*`ganbench collect"):
        compare([one, other])


def test_a_study_that_cites_another_is_reported_beside_it(tmp_path):
    one = study(tmp_path, "one")
    two = study(tmp_path, "two", block={"seed": {"count": 9}}, compare=[str(one)])
    ended = CliRunner().invoke(app, ["report", str(two)])
    assert ended.exit_code == 1
    assert "study one has no collected results" in str(ended.exception)
    assert f"`ganbench collect {one}` makes what is missing" in str(ended.exception)

    for asked in (["collect", str(one)], ["report", str(two)]):
        CliRunner().invoke(app, asked, catch_exceptions=False)
    folder = tmp_path / "results" / "two"
    table = pd.read_csv(folder / "compare/comparisons.csv")
    assert list(table["first"]) == ["two: bilinear-simultaneous", "two: bilinear-extragradient"]
    assert list(table["second"]) == ["one: bilinear-simultaneous", "one: bilinear-extragradient"]
    assert list(table["same"]) == [8, 8]
    assert re.search('href="compare/report.html"', (folder / "report.html").read_text())
    assert Plan(load(two), two).report.done

    one.write_text(one.read_text().replace('"steps": 200', '"steps": 201'))
    assert not Plan(load(two), two).report.done, "the other study has changed"


@pytest.mark.parametrize(
    ("compare", "message"),
    [(["self"], "and these are self, self"), (["no-such"], "no-such")],
)
def test_a_study_that_cites_itself_or_nothing_is_refused(tmp_path, monkeypatch, compare, message):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/self.yaml").write_text(
        json.dumps({"study": "self", "grid": [BLOCK | {"learning_rate": [0.5]}], "compare": compare})
    )
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, ["collect", "config/self.yaml"])
    assert ended.exit_code == 1
    assert message in str(ended.exception)
