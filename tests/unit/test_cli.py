"""The command line, and a whole study run by it without Snakemake."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from repository import ROOT
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from ganbench.analysis.collected import Collected
from ganbench.cli import app
from ganbench.commands import Output, list_components
from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.stored_estimates import Estimate
from ganbench.pipeline.resources.summary import BreakingName
from ganbench.pipeline.stage_names import STAGES
from ganbench.study.schema import load

DOUBLED = '''"""Wasserstein's losses, twice."""

from dataclasses import dataclass
from typing import Annotated

from ganbench.core.interval import Interval
from ganbench.objectives import Objective


@dataclass(frozen=True)
class Doubled(Objective):
    """All losses are those of a critic, times a factor."""

    factor: Annotated[float, Interval(gt=0)] = 2.0
'''
GROWS = {"quantity": "path.growth", "above": 1}


def invoke(*words: str) -> str:
    """The output of a command that must succeed."""
    result = CliRunner().invoke(app, list(words), catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words: str) -> str:
    """The message of a command that a user's mistake ends."""
    with pytest.raises(GanbenchError) as told:
        CliRunner().invoke(app, list(words), catch_exceptions=False)
    return str(told.value)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    path = folder / "study.yaml"
    grid = {"dataset": "ring8", "architecture": {"name": "mlp", "width": 8}, "optimizer": "sgd", "seed": [0, 1]}
    content = {
        "study": "small",
        "results": str(folder / "results"),
        # Gradient descent at a rate of 1e9 diverges at once; at 1e-3 it does not.
        "grid": [
            {**grid, "learning_rate": [1e-3, 1e9]},
            {
                "game": "bilinear",
                "dynamics": "simultaneous",
                "optimizer": "sgd",
                "learning_rate": [0.1],
                "seed": [0, 1],
            },
        ],
        "diagnose": [{"diagnostic": "path", "where": {"game": "bilinear"}}, "rotation"],
        "claims": [
            {
                "id": "A1",
                "statement": "Descent runs off.",
                "tests": [{"bound": {"where": {"game": "bilinear"}, **GROWS}}],
            },
        ],
        "train": {"steps": 60, "batch_size": 16, "snapshots": {"count": 3}, "curve_bins": 20},
        "evaluate": {"samples": 100, "samples_kept": 4},
        "machine": {"device": "cpu", "checkpoint_seconds": 0},
        "track": {"uri": f"sqlite:///{folder}/mlflow.db"},
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_help_names_every_command():
    text = invoke("--help")
    for word in ("list", "check", "schema", "archive", "weights", *STAGES):
        assert re.search(rf"\b{word}\b", text), word
    assert "try-study" not in text


def test_list_shows_every_member_of_every_family_with_its_line():
    text = " ".join(invoke("list").split())
    for family in registry.FAMILIES:
        for name, member in registry.components(family).items():
            assert name in text
            assert member.summary.split()[0] in text
    assert "dcgan" not in invoke("list", "objective")
    assert "unknown family 'architectur'. Did you mean 'architecture'" in refused("list", "architectur")


def test_list_shows_all_of_one_component():
    text = " ".join(invoke("list", "architecture", "dcgan").split())
    assert "Strided 4x4 convolutions halve the image" in text  # the description, not its first lines alone
    assert "'batch', 'instance', 'group', 'layer', 'spectral', 'weight' or 'none'" in text
    assert "│ Largest number of channels; 0 for no limit. │" in text
    # PyTorch's example of DCGAN, plus the biases next to the image.
    assert "3 x 64 x 64 │ 3,576,707 │ 2,765,633 │ 6,342,340" in text
    assert "unknown architecture 'dcgn'. Did you mean 'dcgan'" in refused("list", "architecture", "dcgn")


def test_list_shows_a_file_of_the_user_s_own(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(DOUBLED)
    text = invoke("list", "objective", str(own))
    assert "Wasserstein's losses, twice." in text
    assert "factor │ 2.0" in text


@pytest.mark.cluster
def test_the_page_of_components_is_the_one_that_is_shipped():
    assert (ROOT / "docs/components.md").read_text() == invoke("list", "--format", "markdown"), (
        "ganbench list --format markdown > docs/components.md"
    )
    assert "leave out the family's name" in refused("list", "objective", "--format", "markdown")


def test_an_interrupted_check_shows_the_methods_that_it_has_timed(study, monkeypatch):
    def interrupted(plan, *, to, **_):
        to.progress("timing method 1 of 2: bilinear")
        to.estimated(Estimate(plan.grid.runs[-1].method, 2, (1, 1), 60.0, 0, 0, 0.0, 0))
        raise KeyboardInterrupt

    monkeypatch.setattr("ganbench.pipeline.preflight.check.check", interrupted)
    monkeypatch.setattr("ganbench.commands.check.EVERY_SECONDS", 0.0)
    result = CliRunner().invoke(app, ["check", str(study)], env={"COLUMNS": "200"})
    assert result.exit_code == 130
    assert re.search(r"│ bilinear[-a-z]* *│ +2 │.*│ +1 \+ 1 │ +2\.0 │", result.stdout)
    assert "Interrupted: 1 of 2 methods timed; nothing was found wrong so far." in result.stdout
    assert "0 s: timing method 1 of 2: bilinear" in result.stderr


@pytest.mark.slow
def test_check_says_what_a_study_will_take(study):
    text = invoke("check", str(study))
    assert "small: 6 runs in 2 packs" in text
    # One prepare, judge and reference, two of train and diagnose each, one evaluate, and five for the whole study.
    assert "13 jobs" in text
    assert "ring8-mlp" in text
    assert "bilinear" in text
    assert "core-minutes" in text
    said = " ".join(text.split())  # however long its lines are
    assert re.search(
        r"13 jobs, \d+ of them to do; Snakemake counts \d+, .* About .* on this machine, .* at a time", said
    )
    for stage in STAGES:
        assert re.search(rf"^. {stage} +. +\d+ . +\d+ . +\d+\.\d .$", text, re.MULTILINE), stage


@pytest.fixture
def fresh(study, tmp_path) -> Path:
    """The same study with results of its own."""
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(study.read_text()) | {"results": str(tmp_path / "results")}))
    return path


def done(study: Path) -> dict[str, set[str]]:
    """By stage, the names of the jobs that are done."""
    plan = Plan(load(study))
    return {stage: {name for name, job in plan.jobs(stage).items() if job.done} for stage in STAGES}


def test_a_stage_does_what_it_needs_first_and_only_that(fresh):
    (scored,) = Plan(load(fresh)).evaluate
    text = invoke("evaluate", str(fresh))
    stages = [word for line in text.splitlines() if (word := line.partition(" ")[0]) in STAGES]
    assert stages == ["prepare", "judge", "reference", "train", "evaluate"]
    found = done(fresh)
    assert found["train"] == found["evaluate"] == {scored}, "no pack that it does not need"
    assert not found["collect"]
    assert invoke("evaluate", str(fresh)) == f"evaluate {scored}: up to date\n"


def test_one_job_is_named_by_a_run_of_its_pack(fresh):
    plan = Plan(load(fresh))
    toys = next(pack for pack in plan.grid.packs.values() if pack.runs[0].choice("game").component.name == "bilinear")
    assert invoke("train", str(fresh), "--only", toys.runs[-1].id).startswith(f"train {toys.name}: ")
    assert done(fresh)["train"] == {toys.name}
    assert f"unknown job of evaluate {toys.name!r}" in refused("evaluate", str(fresh), "--only", toys.runs[0].id)


def test_a_partial_report_of_one_job_is_refused(fresh):
    assert "choose one of them" in refused("report", str(fresh), "--partial", "--only", "report")


LONG = "line-mlp-latent-size-1-width-16-depth-1-activation-tanh-minimax-simultaneous-sgd"


def test_names_break_between_their_words_in_a_terminal():
    terminal = Console(width=40, file=io.StringIO(), force_terminal=True)
    table = Table("method", "minutes")
    table.add_row(BreakingName(LONG), "12.5")
    terminal.print(table)
    cells = [line.split("│")[1].strip() for line in terminal.file.getvalue().splitlines() if line.startswith("│")]
    assert "".join(cells) == LONG
    assert len(cells) > 1
    assert all(cell.endswith("-") for cell in cells[:-1]), cells


def test_names_stay_whole_where_there_is_no_terminal():
    table = Table("method", "minutes")
    table.add_row(BreakingName(LONG), "12.5")
    console = Output(file=io.StringIO(), _environ={})
    console.print(table)
    assert LONG in console.file.getvalue()
    assert Output(file=io.StringIO(), _environ={"COLUMNS": "80"}).width == 80


def test_the_schema_is_json_for_editors_and_markdown_for_people():
    assert json.loads(invoke("schema"))["title"] == "Study"
    assert invoke("schema", "--format", "markdown") == (ROOT / "config/README.md").read_text()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")
def test_a_study_runs_stage_by_stage(study):
    assert "unknown job of train 'nope'" in refused("train", str(study), "--only", "nope")
    folder = study.parent / "results" / "small"
    older = folder / ".done" / "report-0123456789ab"
    older.parent.mkdir(parents=True, exist_ok=True)
    older.touch()
    for stage in STAGES:
        assert f"{stage}" in invoke(stage, str(study))
    assert "up to date" in invoke("train", str(study))
    assert not older.exists(), "an older stamp would vouch for a report that is no longer there"
    assert (folder / "report.html").stat().st_size > 10_000
    runs = pd.read_parquet(folder / "tables" / "runs.parquet").set_index(["learning_rate", "seed"])
    assert list(runs.loc[1e9, "outcome"]) == ["diverged", "diverged"]
    assert (runs.loc[1e9, "outcome_onset"] >= 1).all()
    assert runs.loc[1e9, "outcome_evidence"].str.contains("became").all()
    assert runs.loc[1e9, "fd_final"].isna().all(), "a run that diverged has no final score"
    assert (runs.loc[1e-3, "steps_done"] == 60).all()
    assert (runs.loc[1e9, "steps_done"] < 60).all()
    assert not list((folder / "train").glob(".resume/*")), "checkpoints go when the pack is done"

    toys = runs.loc[0.1]
    assert list(toys["outcome"]) == ["cycling", "cycling"]
    assert toys["dataset"].isna().all()
    assert toys["n_train"].isna().all()

    (collected,) = (folder / "collect").iterdir()
    found = Collected.read(collected)
    snapshots = found.snapshots.groupby("learning_rate").size()
    assert snapshots[1e-3] == 2 * 3
    assert snapshots[1e9] < 2 * 3
    steps, samples = found.samples(runs.loc[(1e-3, 0), "run"])
    assert samples.shape == (3, 64, 2)
    assert list(steps) == [0, 1, 60]
    accuracy = found.references.set_index("quantity").loc["judge_accuracy", "value"]
    assert accuracy > 0.999
    growth = found.measurements[found.measurements["quantity"] == "path.growth"].set_index("run")["value"]
    assert set(growth.index) == set(toys["run"])
    # Every step of simultaneous descent multiplies the radius by sqrt(1 + rate^2), in float32 here.
    assert growth.to_numpy() == pytest.approx((1 + 0.1**2) ** (60 / 2), rel=1e-4)
    assert "rotation.rotation_share_end" in set(found.measurements["quantity"])
    assert found.quantities["path.growth"].title
    claims = pd.read_parquet(folder / "tables" / "claims.parquet")
    assert claims.loc[0, ["claim", "verdict"]].tolist() == ["A1", "confirmed"]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        *((0, "0"), (585, "585"), (999, "999"), (1000, "1 k"), (999_499, "999 k"), (999_700, "1 M")),
        *((1_234_567, "1.23 M"), (999_600_000, "1 G"), (237_063_681, "237 M")),
    ],
)
def test_counts_are_rounded_before_their_unit_is_chosen(count, shown):
    assert list_components._rounded(count) == shown


def command(*words: str, **given) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, whose output may go where none can be written."""
    return subprocess.run([sys.executable, "-m", "ganbench", *words], stderr=subprocess.PIPE, text=True, **given)


def test_a_full_disk_is_one_sentence():
    with open("/dev/full", "w") as full:
        ended = command("schema", stdout=full)
    assert (ended.returncode, ended.stderr) == (1, "Error: No space left on device.\n")


def test_a_reader_that_has_enough_is_no_fault():
    ended = command("list", stdout=_closed_pipe())
    assert (ended.returncode, ended.stderr) == (0, "")


def _closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize(
    "words",
    [("status", "tny"), ("check", "tny"), ("clean", "tny"), ("export", "x", "--study", "tny"), ("train", "tny")],
)
def test_every_command_takes_the_name_of_a_study_and_suggests_the_nearest(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/some.yaml").write_text("study: tiny\n")
    assert "unknown study 'tny'. Did you mean 'tiny'?" in refused(*words)


def test_the_status_of_a_study_is_that_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert invoke("status", "lab").startswith("lab: 0 of ")


@pytest.mark.parametrize("words", [("list", "optimizer"), ("status", "config/studies/lab.yaml")])
def test_a_narrow_terminal_folds_and_cuts_nothing(monkeypatch, words):
    monkeypatch.chdir(ROOT)
    shown = CliRunner().invoke(app, list(words), catch_exceptions=False, env={"COLUMNS": "40"}).stdout
    assert shown
    assert "…" not in shown
    assert words[0] == "list" or re.search(r"^reference +\d", shown, re.MULTILINE), "a stage stands in one line"
