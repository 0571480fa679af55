"""Studies run one after the other: what is said of the time, and what a failed one costs the others."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from ganbench.core.errors import GanbenchError
from ganbench.pipeline import verdicts
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.status import read_status
from ganbench.study.schema import load
from ganbench.study.study_files import path_from_root

ONE, TWO, THREE = (Path(f"{name}.yaml") for name in ("one", "two", "three"))


@pytest.fixture
def played(monkeypatch):
    """Workflows that are noted and not run: estimated to take 100 s, they take 200 s; `two` fails where it is asked."""
    done: list[tuple[str, str]] = []
    spent: dict[Path, float] = {}
    failing: dict[str, str] = {}

    def step(name):
        def play(study, *_):
            if failing.get(study.stem) == name:
                raise GanbenchError(f"{name} of {study.stem} failed")
            done.append((name, study.stem))
            if name == "workflow":
                spent[study] = 200.0
            return 100.0

        return play

    monkeypatch.setattr(verdicts, "_seconds_left", step("check"))
    monkeypatch.setattr(verdicts, "_snakemake", step("workflow"))
    monkeypatch.setattr(verdicts, "record", step("record"))
    monkeypatch.setattr(verdicts, "_actual", lambda study: spent.get(study, 0.0))
    monkeypatch.setattr(verdicts, "write_pages", lambda: done.append(("pages", "")))
    return done, failing


def test_every_study_is_recorded_and_the_time_is_corrected_by_what_was_measured(played):
    said = []
    verdicts.run_all([ONE, TWO, THREE], Path("profile"), said.append)
    assert [step for step in played[0] if step[0] != "pages"] == [
        *(("check", name) for name in ("one", "two", "three")),
        *((what, name) for name in ("one", "two", "three") for what in ("workflow", "record")),
    ]
    assert played[0].count(("pages", "")) == 3, "the page is written after each"
    assert said[0] == "3 studies, about 5.0 min in all"
    assert [text for text in said if text.endswith("left in all")] == [
        "1 of 3 done, about 6.7 min left in all",  # twice what was estimated
        "2 of 3 done, about 3.3 min left in all",
        "3 of 3 done, about 0.0 s left in all",
    ]


@pytest.mark.parametrize("code", [0, 1])
def test_the_time_left_is_said_while_a_workflow_runs(code, tmp_path, monkeypatch):
    study = tmp_path / "tiny.yaml"
    study.write_text(f"study: tiny\nresults: {tmp_path}\ngrid: [{{game: bilinear, learning_rate: 0.1, seed: 0}}]\n")
    begun, waits = [], [subprocess.TimeoutExpired("", 1), subprocess.TimeoutExpired("", 1), code]

    class Process:
        def __init__(self, command, process_group):
            begun.append(command)

        def wait(self, timeout):
            if isinstance(now := waits.pop(0), Exception):
                raise now
            return now

    at = read_status(Plan(load(study)))
    times = iter([90.0, None])
    monkeypatch.setattr(verdicts, "read_status", lambda plan, known: replace(at, seconds_left=next(times)))
    monkeypatch.setattr(verdicts.subprocess, "Popen", Process)
    said = []
    with nullcontext() if code == 0 else pytest.raises(GanbenchError, match="ended with exit status 1"):
        verdicts._snakemake(study, Path("profile"), 60.0, said.append)
    assert said == [f"{study}: 0 of {len(at.jobs)} jobs done, about 90.0 s left, 2.5 min in all"]
    assert begun[0][-4:] == ["--workflow-profile", "profile", "--configfile", str(study)]


@pytest.mark.parametrize("part", ["check", "workflow", "record"])
def test_a_failed_study_loses_no_other_and_is_named_at_the_end(played, part):
    done, failing = played
    failing["two"] = part
    with pytest.raises(GanbenchError, match=rf"^two\.yaml: {part} of two failed$"):
        verdicts.run_all([ONE, TWO, THREE], Path("profile"), lambda text: None)
    assert {name for what, name in done if what == "record"} == {"one", "three"}


def test_an_unfinished_study_is_not_recorded(tmp_path):
    study = tmp_path / "tiny.yaml"
    study.write_text(f"study: tiny\nresults: {tmp_path}\ngrid: [{{game: bilinear, learning_rate: 0.1, seed: 0}}]\n")
    with pytest.raises(GanbenchError, match=r"its tables are not there, or not of the present study; run it first"):
        verdicts.record(study)
    assert not (tmp_path / "docs").exists()


@pytest.mark.parametrize("given", ["config/tiny.yaml", "./config/../config/tiny.yaml", "{root}/config/tiny.yaml"])
def test_a_record_names_the_study_from_the_root_whatever_path_is_given(given, tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "config").mkdir(parents=True)
    monkeypatch.chdir(project)
    assert path_from_root(Path(given.format(root=project))) == "config/tiny.yaml"
