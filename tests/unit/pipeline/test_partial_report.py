"""Tables, figures and the report of a study that is not done: what is there, what is missing, and what may be said."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import shutil
import time
from pathlib import Path

import collected_example
import numpy as np
import pandas as pd
import pytest
import yaml
from html_page import Page
from typer.testing import CliRunner

from ganbench.analysis.collected import Collected, Missing
from ganbench.analysis.columns import MISSING
from ganbench.claims.decisions import decide
from ganbench.cli import app
from ganbench.core.errors import GanbenchError
from ganbench.core.locks import hold_lock
from ganbench.pipeline import partial_report, present_results, results_folder
from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import End, Entry
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.present_results import part_of
from ganbench.pipeline.status import read_status
from ganbench.study.claims import Claim
from ganbench.study.schema import load, parse

NOW = "2026-03-01T10:00:00+00:00"
CAUSE = "\x1b[31mboom\x1b[0m <script>alert(1)</script>"
POINTS = {"dataset": "ring8", "architecture": {"name": "mlp", "width": 8}, "optimizer": "sgd", "seed": [0, 1]}
GROWS = {"where": {"game": "bilinear"}, "quantity": "path.growth", "above": 1}


def invoke(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """One pack trained and scored, one only trained, one failed, one that waits for its data; and a small game."""
    place = tmp_path_factory.mktemp("study")
    path = place / "study.yaml"
    content = {
        "study": "begun",
        "results": str(place / "results"),
        "grid": [
            {**POINTS, "learning_rate": [1e-3, 1e-2, 1e-1]},
            {"dataset": "digits", "architecture": "fc", "optimizer": "sgd", "learning_rate": [1e-3], "seed": [0]},
            {
                "game": "bilinear",
                "dynamics": "simultaneous",
                "optimizer": "sgd",
                "learning_rate": [0.1],
                "seed": [0, 1],
            },
        ],
        "pack": {"axes": ["seed"]},
        "diagnose": [{"diagnostic": "path", "where": {"game": "bilinear"}}, "rotation"],
        "claims": [
            {"id": "A1", "statement": "Descent runs off.", "tests": [{"bound": GROWS}]},
            {"id": "A2", "statement": "All run.", "tests": [{"bound": {"quantity": "outcome.diverged", "below": 0.5}}]},
        ],
        "train": {"steps": 40, "batch_size": 16, "snapshots": {"count": 3}, "curve_bins": 20},
        "evaluate": {"samples": 100, "samples_kept": 4},
        "machine": {"device": "cpu", "checkpoint_seconds": 0},
    }
    path.write_text(yaml.safe_dump(content))
    plan = Plan(load(path))
    slow, middle, fast = packs_of(plan, "ring8")
    (game,) = packs_of(plan, "bilinear")
    with pytest.raises(GanbenchError, match=r"no run yet whose outcome is known.*Jobs: 25 waiting\..*ganbench status"):
        invoke("report", str(path), "--partial")
    assert not plan.folder.exists()
    for stage in ("prepare", "judge", "reference"):
        invoke(stage, str(path), "--only", "ring8")
    for pack in (slow, middle):
        invoke("train", str(path), "--only", pack)
    with pytest.raises(GanbenchError, match="no run yet whose outcome is known"):
        invoke("report", str(path), "--partial")  # a run that was not scored may have collapsed
    invoke("train", str(path), "--only", game)
    invoke("evaluate", str(path), "--only", slow)
    for pack in (slow, game):
        invoke("diagnose", str(path), "--only", pack)
    say(plan, "train", fast, running=False, ends=(End(journal.FAILED, CAUSE, NOW, 1.0),))
    say(plan, "evaluate", middle, beat=time.time() - 1000)
    return path


def packs_of(plan: Plan, what: str) -> list[str]:
    """The packs of a data set or a game, by their learning rates."""
    found = [name for name in plan.grid.packs if name.startswith(what)]
    return sorted(found, key=lambda name: plan.grid.packs[name].runs[0].learning_rate)


def method(plan: Plan, what: str) -> str:
    """What the runs of a data set are called, where they are compared."""
    return plan.grid.packs[packs_of(plan, what)[0]].runs[0].method


def say(plan: Plan, stage: str, name: str, **said: object) -> None:
    """Leave an entry in the journal, as if another node worked on the job."""
    entry = Entry(True, "node7", 4, "4711", NOW, NOW, time.time())
    job = plan.jobs(stage)[name]
    for path in (journal.path_of(plan.folder, stage, job.path), plan.folder / job.log):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(dataclasses.replace(entry, **said))))


@pytest.fixture(scope="module")
def plan(study) -> Plan:
    return Plan(load(study))


def contents(place: Path) -> dict[str, str]:
    """Checksums of all files of a study but those of the partial report."""
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file() and "partial" not in path.relative_to(place).parts
    }


@pytest.fixture(scope="module")
def made(study, plan) -> Path:
    """The folder of the partial report, made while a workflow holds the results."""
    with hold_lock(plan.folder / results_folder.LOCK, "the results folder"):
        before = contents(plan.folder)
        assert invoke("report", str(study), "--partial").splitlines()[-1] == str(plan.folder / "partial/report.html")
        assert contents(plan.folder) == before, "nothing of the whole study is touched"
    return plan.folder / "partial"


# The plan


def test_the_plan_of_all_that_is_done_is_the_whole_plan_once_everything_is(tmp_path):
    grid = [
        {"dataset": "ring8", "architecture": "mlp", "learning_rate": [1e-3, 1e-2], "seed": [0]},
        {"game": "bilinear", "learning_rate": [0.1], "seed": [0]},
    ]
    diagnose = ["path", "convolution"]
    whole = Plan(parse({"study": "s", "results": str(tmp_path), "grid": grid, "diagnose": diagnose}, origin="s"))
    assert list(part_of(whole, lambda job: True, whole.folder).all_jobs()) == list(whole.all_jobs())
    (last,) = (name for name in whole.grid.packs if not name.startswith("ring8"))
    part = part_of(whole, lambda job: job.stage != "diagnose" and job.name != last, tmp_path / "part")
    assert [run.method for run in part.grid.runs] == ["ring8-mlp", "ring8-mlp"]
    assert (part.train, part.diagnose) == ({name: whole.train[name] for name in part.grid.packs}, {})
    assert [job.path for job in part.all_jobs() if not job.path.is_relative_to(part.folder)] == [
        job.path
        for stage in ("prepare", "judge", "reference", "train", "evaluate")
        for job in part.jobs(stage).values()
    ]


def test_the_older_partial_report_stays_until_the_newer_one_is_in_its_place(tmp_path, monkeypatch):
    folder, rename = tmp_path / "partial", Path.rename
    folder.mkdir()
    (folder / "report.html").write_text("older")

    def replace(fails: bool) -> None:
        with monkeypatch.context() as patch, partial_report._replacing(folder):
            new = folder.with_name(".partial.new")
            new.mkdir()
            (new / "report.html").write_text("newer")

            def full(path: Path, target: Path) -> Path:
                if path == new:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return rename(path, target)

            if fails:
                patch.setattr(Path, "rename", full)

    with pytest.raises(OSError, match="No space left"):
        replace(fails=True)
    assert [path.name for path in tmp_path.iterdir()] == ["partial"]
    assert (folder / "report.html").read_text() == "older"
    folder.rename(folder.with_name(".partial.old"))  # as a process leaves it that is killed between the two renames
    with pytest.raises(OSError, match="No space left"):
        replace(fails=True)
    assert (folder / "report.html").read_text() == "older"
    replace(fails=False)
    assert [path.name for path in tmp_path.iterdir()] == ["partial"]
    assert (folder / "report.html").read_text() == "newer"


@pytest.mark.cluster
def test_a_partial_report_is_made_of_one_of_two_runs(tmp_path):
    game = {"game": "bilinear", "optimizer": "sgd", "learning_rate": 0.1, "seed": 0}
    content = {
        "study": "begun",
        "results": str(tmp_path / "results"),
        "grid": [{**game, "dynamics": ["simultaneous", "alternating"]}],
        "diagnose": ["path"],
        "claims": [{"id": "A1", "statement": "Descent runs off.", "tests": [{"bound": GROWS}]}],
        "train": {"steps": 40, "snapshots": {"count": 3}, "curve_bins": 20},
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content))
    plan = Plan(load(path))
    here, _ = packs_of(plan, "bilinear")
    for stage in ("train", "diagnose"):
        invoke(stage, str(path), "--only", here)
    page = plan.folder / "partial" / "report.html"
    assert invoke("report", str(path), "--partial").splitlines()[-1] == str(page)
    assert "Partial report: 1 of 2 runs are in it" in page.read_text()
    runs, missing, claims = (
        pd.read_parquet(page.parent / "tables" / f"{name}.parquet") for name in ("runs", "missing", "claims")
    )
    assert (list(runs["pack"]), [*missing["pack"]]) == ([here], [name for name in plan.grid.packs if name != here])
    assert claims[["verdict", "runs", "missing"]].to_numpy().tolist() == [["undecided", 2, 1]]
    assert not (plan.folder / "report.html").exists()


# Of a study that has begun


@pytest.mark.slow
def test_every_run_is_in_the_tables_or_among_the_missing(plan, made):
    runs, missing = (pd.read_parquet(made / "tables" / f"{name}.parquet") for name in ("runs", "missing"))
    assert sorted([*runs["run"], *missing["run"]]) == sorted(run.id for run in plan.grid.runs)
    slow, middle, fast = packs_of(plan, "ring8")
    assert set(runs["pack"]) == {slow, *packs_of(plan, "bilinear")}
    why = dict(zip(missing["pack"], missing["reason"], strict=True))
    assert why.pop(middle).startswith("evaluate silent: its journal has not been written for long")
    assert why.pop(fast) == r"train failed: \x1b[31mboom\x1b[0m <script>alert(1)</script>"
    assert why == {packs_of(plan, "digits")[0]: "prepare waiting"}
    assert (made / "tables" / "COLUMNS.md").read_text().count("\n| `why` |") == 1


@pytest.mark.slow
def test_the_report_says_what_is_missing_before_anything_else(plan, made):
    page = (made / "report.html").read_text()
    assert "<title>Partial (4 of 9 runs): " in page
    banner = page[page.index("Partial report: 4 of 9 runs are in it") : page.index('<section id="claims">')]
    assert page.index('<section id="missing"') < page.index("<h2>")
    assert "while process" in banner
    assert "Missing: 5 runs in 3 packs (1 silent, 1 failed and 1 waiting)." in banner
    _, middle, fast = packs_of(plan, "ring8")
    assert f'<th scope="row">{fast}</th><td>failed</td>' in banner
    assert r"\x1b[31mboom\x1b[0m &lt;script&gt;alert(1)&lt;/script&gt;" in banner
    assert str(plan.folder / plan.train[fast].log) in banner
    assert f'<th scope="row">{middle}</th><td>silent</td>' in banner
    counts = '<td class="n">0</td><td class="n">1</td><td>prepare waiting (1)</td>'
    assert f'<th scope="row">{method(plan, "digits")}</th>{counts}' in banner
    assert "Of experiment rotation, 5 of 9 results are missing." in banner
    assert "Of experiment path" not in banner
    there = set(pd.read_parquet(made / "tables" / "runs.parquet")["run"])
    for run in plan.grid.runs:
        assert (f'<th scope="row">{run.id}</th>' in banner) == (run.id not in there)
    assert page.count("<script") == 2
    data = next(json.loads(text) for kind, text in Page(page).scripts if kind == "application/json")
    assert set(data["files"]) == set(pd.read_parquet(made / "tables" / "runs.parquet")["pack"])
    for paths in data["files"].values():
        assert all(path.startswith("../") and (made / path).is_file() for path in paths), paths
    assert "\x1b" not in page


@pytest.mark.slow
def test_claims_are_decided_only_as_far_as_the_missing_runs_allow(made):
    claims = pd.read_parquet(made / "tables" / "claims.parquet").set_index("claim")
    assert claims.loc["A1", ["verdict", "runs", "missing"]].tolist() == ["confirmed", 2, 0]
    assert claims.loc["A2", ["verdict", "runs", "missing"]].tolist() == ["undecided", 9, 5]
    page = (made / "report.html").read_text()
    assert "1 undecided so far" in page
    assert "4 of 9 runs hold, 5 without a number" in page


@pytest.mark.slow
def test_figures_are_of_what_there_is_and_say_so(plan, made):
    names = {path.name for path in (made / "figures").iterdir()}
    assert {f"losses-{method(plan, 'ring8')}.svg", "outcomes.png", "path-path.svg"} <= names
    assert not any("digits" in name for name in names)
    for path in (made / "figures").glob("*.svg"):
        assert "(partial: 4 of 9 runs)" in path.read_text(), path.name


@pytest.mark.slow
def test_the_whole_study_still_has_all_to_do(study, made):
    stages = json.loads(invoke("status", str(study), "--json"))["stages"]
    for stage in ("collect", "tables", "figures", "report", "track"):
        assert stages[stage]["waiting"] == 1


@pytest.mark.slow
def test_a_partial_report_that_cannot_be_made_leaves_the_older_one(study, plan, made, monkeypatch):
    before = (made / "report.html").read_bytes()
    others = sorted(path.name for path in plan.folder.iterdir())

    def fails(*_: object) -> None:
        raise GanbenchError("no report today")

    with monkeypatch.context() as patch:
        patch.setattr(partial_report.report, "run", fails)
        with pytest.raises(GanbenchError, match="no report today"):
            invoke("report", str(study), "--partial")
    assert (made / "report.html").read_bytes() == before
    assert sorted(path.name for path in plan.folder.iterdir()) == others
    with (
        hold_lock(plan.folder / ".partial.lock", "it"),
        pytest.raises(GanbenchError, match=r"partial report .* in use by"),
    ):
        invoke("report", str(study), "--partial")


@pytest.mark.slow
def test_a_later_one_takes_the_place_of_an_older_one(study, plan, made):
    copy = study.parent / "before"
    shutil.copytree(made, copy)
    (made / "figures" / "losses-of-nobody.svg").touch()
    middle = packs_of(plan, "ring8")[1]
    kept = plan.diagnose[packs_of(plan, "bilinear")[0]].path
    try:
        invoke("evaluate", str(study), "--only", middle)
        kept.rename(kept.with_suffix(".away"))
        invoke("report", str(study), "--partial")
        assert not (made / "figures" / "losses-of-nobody.svg").exists()
        page = (made / "report.html").read_text()
        assert "Partial report: 6 of 9 runs are in it" in page
        assert "while no workflow was running" in page
        assert "Of experiment path, 2 of 2 results are missing." in page
        claims = pd.read_parquet(made / "tables" / "claims.parquet").set_index("claim")
        assert claims.loc["A1", ["verdict", "runs", "missing"]].tolist() == ["undecided", 2, 2]
    finally:  # the other tests are about the study as it was
        kept.with_suffix(".away").rename(kept)
        plan.evaluate[middle].path.unlink()
        say(plan, "evaluate", middle, beat=time.time() - 1000)
        shutil.rmtree(made)
        copy.rename(made)


def test_a_pack_lacks_what_failed_rather_than_what_waits(tmp_path):
    content = {"study": "small", "results": str(tmp_path), "grid": [{**POINTS, "learning_rate": [1e-3]}]}
    plan = Plan(parse(content, origin="the study"))
    (pack,) = plan.grid.packs
    assert [job.stage for job in present_results.jobs_behind_outcomes(plan, pack)] == [
        "prepare",
        "judge",
        "reference",
        "train",
        "evaluate",
    ]

    def lacks() -> tuple[str, str]:
        standings = {each.job.stage: each for each in read_status(plan).jobs}  # one job each
        found = present_results._lacking(
            [standings[job.stage] for job in present_results.jobs_behind_outcomes(plan, pack)]
        )
        return found.job.stage, found.state

    assert lacks() == ("prepare", "waiting")
    say(plan, "train", pack)
    assert lacks() == ("train", "running")
    say(plan, "judge", "ring8", running=False, ends=(End(journal.FAILED, "", NOW, 1.0),))
    assert lacks() == ("judge", "failed")


# Verdicts


def without(collected: Collected, lost: pd.Series) -> Collected:
    """The study as it is while some runs, a mask, are missing."""
    rows = collected.runs.loc[lost].assign(stage="train", state="waiting", why="").reindex(columns=list(MISSING))
    missing = Missing(rows, observations={}, stages={}, ended=(), at=NOW, held="")
    return dataclasses.replace(collected_example.only(collected, ~lost), missing=missing)


@pytest.mark.cluster
def test_a_verdict_given_early_is_the_verdict_of_the_whole_study(tmp_path):
    collected = collected_example.build(tmp_path)
    fc, dcgan = {"architecture": "fc"}, {"architecture": "dcgan"}
    tests = [
        {"bound": {"quantity": "outcome.collapsed", "below": 0.5}},
        {"bound": {"quantity": "final.fd", "above": -1}},
        {"proportion": {"quantity": "outcome.failed", "above": 0.5, "at_least": 0.1}},
        {"proportion": {"quantity": "outcome.failed", "above": 0.5, "at_most": 0.1}},
        {"proportion": {"where": fc, "quantity": "outcome.failed", "above": 0.5, "at_least": 0.5}},
        {"difference": {"where": fc, "baseline": dcgan, "quantity": "best.fd", "below": 1000}},
        {"ordering": {"increasing": [fc, dcgan], "quantity": "best.fd"}},
    ]
    claims = [
        Claim.model_validate({"id": f"C{place}", "statement": "So it is.", "tests": [test]})
        for place, test in enumerate(tests)
    ]

    def verdicts(of: Collected) -> list[str]:
        return [decision.verdict for decision in decide(of, claims)]

    whole = verdicts(collected)
    assert set(whole) == {"confirmed", "refuted", "undecided"}
    generator, early = np.random.default_rng(0), 0
    for share in np.linspace(0.05, 0.95, 19):
        lost = pd.Series(generator.random(len(collected.runs)) < share, index=collected.runs.index)
        for now, then in zip(verdicts(without(collected, lost)), whole, strict=True):
            assert now in (then, "undecided")
            early += now != "undecided"
    assert early > 10, "some claims need not wait for the last run"
    nothing_lost = pd.Series(False, index=collected.runs.index)
    assert verdicts(without(collected, nothing_lost)) == whole


def test_what_is_missing_survives_its_file(tmp_path):
    collected = collected_example.build(tmp_path)
    missing = without(collected, collected.runs["seed"] == 0).missing
    missing.write(tmp_path)
    found = Collected.read(tmp_path).missing
    pd.testing.assert_frame_equal(found.runs, missing.runs.reset_index(drop=True))
    assert dataclasses.replace(found, runs=None) == dataclasses.replace(missing, runs=None)
