"""Profiles of clusters: read as Snakemake reads them, and what is shown of the requests that follow from them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import yaml
from repository import ROOT
from rich.console import Console
from snakemake.cli import parse_args
from typer.testing import CliRunner

from ganbench.cli import app
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources import requests, summary
from ganbench.pipeline.resources.cluster_profile import DEFAULT, PROFILES, Profile, read
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings, write_timings
from ganbench.study.schema import parse

STUDY = {
    "study": "tiny",
    "grid": [{"game": "bilinear", "optimizer": "sgd", "learning_rate": 0.1, "seed": [0, 1]}],
    "train": {"steps": 60},
}
CONFIG = {"machine": {"max_runtime": "240"}, "results": "there"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("default", Profile("local", "all", 0, {})),
        ("slurm", Profile("slurm", "100", 10, {"machine": {"max_runtime": "240", "max_mem_mb": "64000"}})),
        ("kubernetes", Profile("kubernetes-shared", "100", 3, {"machine": {"max_mem_mb": "64000"}})),
    ],
)
def test_the_shipped_profiles(name, expected, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = read(PROFILES / name)
    assert found == read(PROFILES / name / "config.yaml") == read(Path(name)) == expected
    assert found.workers == (None if name == "default" else 100)


def test_snakemake_takes_the_default_profile_by_itself(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    parse_args([])
    assert "workflow specific profile profiles/default" in capsys.readouterr().err
    assert Path("profiles/default").samefile(DEFAULT)


@pytest.mark.parametrize("name", ["default", "slurm", "kubernetes"])
def test_each_shipped_profile_goes_on_after_a_kill_and_reruns_nothing_that_exists(name):
    values = yaml.safe_load((ROOT / PROFILES / name / "config.yaml").read_text())
    goes_on = dict.fromkeys(("nolock", "rerun-incomplete", "ignore-incomplete"), True)
    assert values.items() >= (goes_on | {"rerun-triggers": ["mtime"]}).items()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config: {machine: {max_runtime: 240}, results: there}", CONFIG),
        ('config: ["machine={max_runtime: 240}", results=there]', CONFIG),
        ("config: results=there", {"results": "there"}),
        ("executor: slurm", {}),
    ],
    ids=["mapping", "list", "text", "none"],
)
@pytest.mark.parametrize("name", ["config.yaml", "profile.yaml", "config.v9+.yaml"])
def test_a_profile_s_config_has_the_forms_that_snakemake_takes(text, expected, name, tmp_path):
    (tmp_path / name).write_text(text)
    assert read(tmp_path).config == expected


def test_a_profile_that_is_not_there_is_told_with_those_that_are(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    valid = r"valid: workflow/profiles/default, workflow/profiles/kubernetes, workflow/profiles/slurm, or a folder of"
    with pytest.raises(GanbenchError, match=rf"there is no profile none; {valid} your own with a config\.yaml"):
        read(Path("none"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GanbenchError, match="there is no profile none; valid: none here, or a folder"):
        read(Path("none"))


@pytest.mark.parametrize("content", ["", "- a", "config: 3", "config: [3]", "retries: some", "executor: ["])
def test_what_is_no_profile_is_refused_by_its_name(content, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(GanbenchError, match=r"config\.yaml is not a Snakemake profile: "):
        read(tmp_path)


@pytest.mark.parametrize("command", ["check", "clean", "decide"])
def test_commands_refuse_a_profile_that_is_not_there_before_they_start(command):
    with pytest.raises(GanbenchError, match="there is no profile none"):
        CliRunner().invoke(app, [command, "lab", "--profile", "none"], catch_exceptions=False)


@pytest.mark.parametrize("command", ["check", "clean"])
def test_commands_take_the_config_of_a_profile(command, tmp_path, monkeypatch):
    def tried(plan: Plan, *, here: bool, parallel_jobs: int, **_: object) -> list[Estimate]:
        assert not here
        write_timings(plan.folder, Timings(parallel_jobs))
        return []

    monkeypatch.setattr("ganbench.pipeline.preflight.check.check", tried)
    (tmp_path / "config.yaml").write_text(f"executor: slurm\njobs: 7\nconfig: {{results: {tmp_path / 'there'}}}\n")
    (tmp_path / "study.yaml").write_text(json.dumps(STUDY))
    words = [command, str(tmp_path / "study.yaml"), "--profile", str(tmp_path)]
    result = CliRunner().invoke(app, words, catch_exceptions=False, env={"COLUMNS": "300"})
    assert str(tmp_path / "there" / "tiny") in result.output
    if command == "check":
        assert "requested of slurm, at most 7 jobs at once" in result.output
        assert "on slurm, once jobs are started, 7 jobs at a time" in result.output


def test_check_says_which_values_of_a_study_its_profile_replaces(tmp_path, monkeypatch):
    def tried(plan: Plan, *, parallel_jobs: int, **_: object) -> list[Estimate]:
        write_timings(plan.folder, Timings(parallel_jobs))
        assert (plan.study.machine.max_runtime, plan.study.machine.device) == (240, "cpu")
        return []

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ganbench.pipeline.preflight.check.check", tried)
    machine = {"max_runtime": 30, "max_mem_mb": 64000, "device": "cpu"}
    Path("study.yaml").write_text(json.dumps(STUDY | {"machine": machine}))
    words = ["check", "study.yaml", "--profile", str(ROOT / PROFILES / "slurm")]
    result = CliRunner().invoke(app, words, catch_exceptions=False, env={"COLUMNS": "300"})
    notes = [line for line in result.output.splitlines() if "replaces" in line]
    assert notes == ["Note: machine.max_runtime: 240 of the profile replaces 30 of the study."]


def shown(plan: Plan, profile: Profile) -> str:
    out = io.StringIO()
    summary.demand(Console(file=out, width=200), plan, [], profile)
    return " ".join(out.getvalue().split())


def test_the_table_of_requests_names_each_stage_and_says_what_retries_do(tmp_path, monkeypatch):
    plan = Plan(
        parse(STUDY | {"results": str(tmp_path), "machine": {"max_runtime": 20, "max_mem_mb": 64000}}, origin="study")
    )
    text = shown(plan, Profile("slurm", "100", 10, {}))
    (train,) = plan.jobs("train").values()
    asked = requests.request(plan, train, {})
    assert (asked.gpu, asked.runtime) == (1, 20)
    assert f"train │ 1 │ 1 │ {asked.mem_mb:,} MB │ 20 min │ 0.3" in text
    assert "tried again up to 10 times: what is finished is kept" in text
    assert "Note" not in text
    text = shown(plan, Profile("slurm", "100", 0, {}))
    assert "A job that fails is not tried again: the profile has no retries." in text
    needed = requests.attempts(plan, {})
    assert f"may take up to {needed} jobs of 20 minutes; set `retries: {needed}` in the profile" in text
    monkeypatch.setattr(requests, "totals", lambda *_: {})
    assert shown(plan, Profile("slurm", "100", 0, {})) == "No job is left to submit to slurm."
