"""What runs again after a change to a study, its sources or its files, and what does not."""

from __future__ import annotations

import ast
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from comparing import assert_same_runs, clocks_of, differences, differing_tables, runs_of
from tiny_studies import (
    EVALUATE,
    LABORATORY,
    POINTS,
    REFERENCE,
    REPORT,
    STUDY,
    SUMMARIES,
    TRAIN,
    Study,
    point_study,
    study,
)
from workflow_project import CORES, Project

NEW_ARCHITECTURE = '''"""Two linear maps."""

from dataclasses import dataclass

from ganbench.architectures import Architecture


@dataclass(frozen=True)
class TwoMaps(Architecture):
    latent_size: int = 2

    def unsupported(self, data):
        return None
'''


def edited(path: str, text: str) -> Callable[[Project], None]:
    """A change: some text at the end of a file."""
    return lambda project: project.append(path, text)


def configured(**changes: Any) -> Callable[[Project], None]:
    """A change: other values in the study."""
    return lambda project: project.configure(study(**changes))


def added(path: str, text: str) -> Callable[[Project], None]:
    """A change: a file that was not there."""
    return lambda project: (project.folder / path).write_text(text)


EDIT = "\nEDITED = True\n"


def commented(project: Project) -> None:
    """A change: comments, a docstring and other line breaks, in every source."""
    for path in (project.folder / "ganbench").rglob("*.py"):
        lines = path.read_text().splitlines()
        first = next(iter(ast.parse(path.read_text()).body), None)
        docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        kept = "\n".join(lines[first.end_lineno if docstring else 0 :])
        path.write_text(f'"""Said in other words."""\n\n# And a comment.\n\n{kept}\n\n# edited\n')


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        pytest.param(lambda project: None, set(), id="nothing"),
        pytest.param(commented, set(), id="comments-and-docstrings", marks=pytest.mark.slow),
        pytest.param(
            edited("ganbench/architectures/dcgan.py", EDIT),
            {"train digits-dcgan", "evaluate digits-dcgan"} | SUMMARIES,
            id="architecture-edited",
        ),
        pytest.param(added("ganbench/architectures/linear.py", NEW_ARCHITECTURE), set(), id="architecture-added"),
        pytest.param(edited("ganbench/engine/train.py", EDIT), TRAIN | EVALUATE | SUMMARIES, id="engine"),
        pytest.param(edited("ganbench/metrics/mode_coverage.py", EDIT), REFERENCE | EVALUATE | SUMMARIES, id="metric"),
        pytest.param(configured(evaluate={"samples": 120}), REFERENCE | EVALUATE | SUMMARIES, id="evaluate"),
        pytest.param(configured(outcome={"late_share": 0.5}), SUMMARIES, id="outcome"),
        pytest.param(edited("ganbench/analysis/outcomes/cycling.py", EDIT), SUMMARIES, id="detector"),
        pytest.param(edited("ganbench/report/figures/losses.py", EDIT), {"figures"} | REPORT, id="figure"),
        pytest.param(configured(track={"uri": "sqlite:///results/other.db"}), {"track"}, id="track"),
        pytest.param(lambda project: (project.folder / "results/mlflow.db").unlink(), {"track"}, id="store-lost"),
        pytest.param(
            configured(machine={"checkpoint_seconds": 30, "device": "cpu"}), set(), id="machine", marks=pytest.mark.slow
        ),
        pytest.param(edited("workflow/rules/common.smk", '\nJOB_COMMAND += " "\n'), set(), id="command"),
        pytest.param(configured(title="Another title"), REPORT, id="title"),
        pytest.param(configured(description="What it is about."), REPORT, id="description", marks=pytest.mark.slow),
        pytest.param(
            edited("ganbench/report/report.css", "\n/* edited */\n"), REPORT, id="style", marks=pytest.mark.slow
        ),
        pytest.param(edited("ganbench/report/report.html.j2", "\n<!-- edited -->\n"), REPORT, id="template"),
    ],
)
def test_a_change_reruns_only_the_stages_it_can_change(
    project: Project, change: Callable[[Project], None], jobs: set[str]
) -> None:
    change(project)

    assert project.dry_run().succeeded().jobs == jobs


def test_a_study_of_games_without_data_ends_in_a_report_with_its_verdicts(laboratory: Project) -> None:
    claims = pd.read_parquet(laboratory.results / "tables" / "claims.parquet")
    assert dict(zip(claims["claim"], claims["verdict"], strict=True)) == {"A1": "confirmed", "A4": "refuted"}
    runs = pd.read_parquet(laboratory.results / "tables" / "runs.parquet")
    assert dict(runs.groupby("dynamics")["outcome"].first()) == {"alternating": "cycling", "simultaneous": "unstable"}
    report = (laboratory.results / "report.html").read_text()
    for said in ("A1", "A4", "Descent runs off.", "confirmed", "refuted"):
        assert said in report, f"the report does not say {said!r}"
    assert laboratory.dry_run().succeeded().jobs == set()


@pytest.mark.parametrize(
    ("changes", "jobs"),
    [
        pytest.param({"claims": LABORATORY["claims"][:1]}, {"tables"} | REPORT, id="claims"),
        pytest.param(
            {"diagnose": [*LABORATORY["diagnose"], "spectrum"]}, {"diagnose bilinear-sgd"} | SUMMARIES, id="experiment"
        ),
        pytest.param(
            {"diagnose": [LABORATORY["diagnose"][0], {"diagnostic": {"name": "convolution", "max_image_size": 7}}]},
            {"diagnose study"} | SUMMARIES,
            id="experiment-of-the-study",
        ),
    ],
)
def test_diagnostics_and_claims_rerun_no_training(
    laboratory: Project, tmp_path: Path, changes: Study, jobs: set[str]
) -> None:
    project = laboratory.clone(tmp_path / "project")
    project.configure(LABORATORY | changes)

    assert project.dry_run().succeeded().jobs == jobs


@pytest.mark.parametrize(
    ("changes", "members"),
    [
        pytest.param({"grid": [POINTS | {"seed": [0, 1, 2]}]}, 3, id="seed"),
        pytest.param(
            {"grid": [POINTS | {"learning_rate": [1e-3, 5e-3]}]}, 4, id="learning-rate", marks=pytest.mark.slow
        ),
        pytest.param({"pack": {"fuse": "never"}}, 2, id="no-member"),
    ],
)
def test_members_that_are_there_are_kept_and_only_new_ones_train(
    project: Project, changes: Study, members: int
) -> None:
    before = {stage: runs_of(project.file(stage, "ring8-mlp")) for stage in ("train", "evaluate")}
    clocks = clocks_of(project.file("train", "ring8-mlp"))
    project.configure(point_study(**changes))

    assert f"{len(before['train'])} of {members} runs are trained already, and kept" in project.check()
    done = project.snakemake(*CORES, "--until", "evaluate").succeeded()

    assert done.jobs == {"train ring8-mlp", "evaluate ring8-mlp"}
    for stage, runs in before.items():
        after = runs_of(project.file(stage, "ring8-mlp"))
        assert len(after) == members
        for digest, run in runs.items():
            assert differences(run, after[digest]) == [], f"{stage} changed a run that was there"
    assert clocks.items() <= clocks_of(project.file("train", "ring8-mlp")).items(), "a run that was there trained again"


@pytest.mark.parametrize(
    "records", [pytest.param((), id="records"), pytest.param((".snakemake",), id="no-records", marks=pytest.mark.slow)]
)
def test_a_moved_clone_with_any_time_stamps_is_up_to_date(
    finished: Project, tmp_path: Path, records: tuple[str, ...]
) -> None:
    clone = finished.clone(tmp_path / "elsewhere" / "clone", ignore=records)
    stamps = random.Random(0)
    now = 1_800_000_000
    for path in sorted(clone.folder.rglob("*")):
        os.utime(path, times=(now, stamps.choice([now, now - stamps.randrange(10**9)])))
    before = clone.state()

    for done in (clone.dry_run(), clone.snakemake(*CORES)):
        assert done.succeeded().jobs == set()
        assert "Nothing to be done" in done.output
    assert clone.state() == before


@pytest.mark.parametrize(
    ("stage", "name", "after"),
    [
        ("prepare", "ring8", ["judge ring8", "reference ring8", "train ring8-mlp", "collect"]),
        ("train", "ring8-mlp", ["evaluate ring8-mlp", "collect"]),
    ],
)
def test_what_is_removed_is_made_again_though_the_report_is_there(
    finished: Project, tmp_path: Path, stage: str, name: str, after: list[str]
) -> None:
    clone = finished.clone(tmp_path / "clone")
    clocks = clocks_of(clone.file("train", "ring8-mlp"))
    clone.file(stage, name).unlink()

    done = clone.snakemake(*CORES).succeeded()

    assert done.jobs == {f"{stage} {name}", *after}, "what is made of it is looked at again"
    for kind in ("train", "evaluate"):
        assert_same_runs(finished, clone, kind, "ring8-mlp")
    assert (clocks == clocks_of(clone.file("train", "ring8-mlp"))) == (stage != "train"), "only what is lost trains"


def test_results_and_files_of_one_s_own_may_move(finished: Project, tmp_path: Path) -> None:
    """The folder of results is renamed, the study says so, and its architecture lies elsewhere: nothing is to do."""
    project = Project.create(tmp_path / "project", STUDY)
    own = project.folder / "ganbench/architectures/mlp.py"
    (project.folder / "own.py").write_text(own.read_text())
    grid = [POINTS | {"architecture": "own.py", "seed": 0}]
    project.configure(study(grid=grid))
    project.snakemake(*CORES).succeeded()

    (project.folder / "elsewhere").mkdir()
    (project.folder / "own.py").rename(project.folder / "elsewhere/own.py")
    grid[0]["architecture"] = "elsewhere/own.py"
    project.configure(study(grid=grid))
    assert project.dry_run().succeeded().jobs == set(), "where a user's own file lies is no part of any result"

    (project.folder / "results/tiny").rename(project.folder / "elsewhere/tiny")
    project.configure(study(grid=grid, results="elsewhere"))
    assert project.dry_run().succeeded().jobs == set(), "nor is where the results lie"


def test_the_same_study_twice_from_scratch_gives_the_same_results(finished: Project, tmp_path: Path) -> None:
    again = finished.clone(tmp_path / "again", ignore=("results", ".snakemake"))

    again.snakemake(*CORES, "--until", "collect").succeeded()

    for stage in ("train", "evaluate"):
        for method in ("digits-fc", "digits-dcgan", "ring8-mlp"):
            assert_same_runs(finished, again, stage, method)
    assert differing_tables(finished, again) == []


def test_snakemake_finds_nothing_to_lint(project: Project) -> None:
    assert "your workflow is in a good condition" in project.snakemake("--lint").output


def test_snakemake_counts_the_jobs_that_check_counts_and_says_each_in_few_words(finished: Project, tmp_path) -> None:
    clone = finished.clone(tmp_path / "clone", ignore=("results", ".snakemake"))
    planned = clone.snakemake(*CORES, "--dry-run").succeeded().output
    (total,) = set(re.findall(r"^total +(\d+)$", planned, flags=re.MULTILINE))  # told before the jobs and after
    assert f"of them to do; Snakemake counts {total}, its rule `all` among them." in clone.check()
    assert max(map(len, planned.splitlines())) < 300
    assert "Job 0: all of tiny" in planned
