"""The real workflow on a tiny study: what runs again after a change, and what a crash, a fault or a mistake leaves.

The study runs once, for all tests of this file; each then works on a copy of the finished project of its own.
"""

from __future__ import annotations

import ast
import copy
import getpass
import json
import logging
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from stored import flat, tree_of
from workflow_example import (
    CORES,
    EVALUATE,
    IMAGES,
    LABORATORY,
    LIMIT_SECONDS,
    POINTS,
    PREPARE,
    PROFILE,
    ROOT,
    STUDY,
    SUMMARIES,
    TRAIN,
    Project,
    clocks_of,
    differences,
    differing_tables,
    runs_of,
    wait_for,
)

from ganbench.core import store
from ganbench.stages.workflow import Shortened

Study = dict[str, Any]
BIN = Path(sys.executable).parent

# Stands for a disk, a download or a decoder that fails after the study was found valid.
BROKEN_DATASET = '''"""Eight Gaussians that cannot be read once there is a file `fire` beside this one."""

from dataclasses import dataclass
from pathlib import Path

from ganbench.data import ring8


@dataclass(frozen=True)
class Dataset(ring8.Dataset):
    def load(self):
        if Path(__file__).with_name("fire").exists():
            raise OSError("the disk with the examples caught fire")
        return super().load()
'''

NEW_ARCHITECTURE = '''"""Two linear maps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    latent_size: int = 2

    def supports(self, data):
        return None
'''


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after its whole workflow ran. Not to be changed; take `project`."""
    project = Project.create(tmp_path_factory.mktemp("workflow") / "finished", STUDY)
    done = project.snakemake(*CORES).succeeded()
    assert done.jobs == PREPARE | TRAIN | EVALUATE | SUMMARIES
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project to work on."""
    return finished.clone(tmp_path / "project")


def study(**changes: Any) -> Study:
    """The tiny study with some sections replaced."""
    return copy.deepcopy(STUDY) | changes


def point_study(**changes: Any) -> Study:
    """The tiny study without its images, so that one pack is left."""
    return study(**{"grid": [POINTS]} | changes)


# What runs again -----------------------------------------------------------------------------------------------------


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
        pytest.param(commented, set(), id="comments-and-docstrings"),
        pytest.param(
            edited("ganbench/architectures/dcgan.py", EDIT),
            {"train digits-dcgan", "evaluate digits-dcgan"} | SUMMARIES,
            id="architecture-edited",
        ),
        pytest.param(added("ganbench/architectures/linear.py", NEW_ARCHITECTURE), set(), id="architecture-added"),
        pytest.param(edited("ganbench/engine/train.py", EDIT), TRAIN | EVALUATE | SUMMARIES, id="engine"),
        pytest.param(edited("ganbench/metrics/mode_coverage.py", EDIT), EVALUATE | SUMMARIES, id="metric"),
        pytest.param(configured(evaluate={"samples": 120}), EVALUATE | SUMMARIES, id="evaluate"),
        pytest.param(configured(outcome={"won_share": 0.5}), SUMMARIES, id="outcome"),
        pytest.param(configured(track={"uri": "sqlite:///results/other.db"}), {"track"}, id="track"),
        pytest.param(configured(machine={"checkpoint_seconds": 30, "device": "cpu"}), set(), id="machine"),
        pytest.param(configured(title="Another title"), {"report"}, id="title"),
        pytest.param(configured(description="What it is about."), {"report"}, id="description"),
        pytest.param(edited("ganbench/report/report.css", "\n/* edited */\n"), {"report"}, id="style"),
        pytest.param(edited("ganbench/report/report.html.j2", "\n<!-- edited -->\n"), {"report"}, id="template"),
    ],
)
def test_a_change_reruns_only_the_stages_it_can_change(
    project: Project, change: Callable[[Project], None], jobs: set[str]
) -> None:
    change(project)

    assert project.dry_run().succeeded().jobs == jobs


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after a study of games without data, with instruments and claims, ran. Not to be changed."""
    project = Project.create(tmp_path_factory.mktemp("laboratory") / "finished", LABORATORY)
    done = project.snakemake(*CORES).succeeded()
    assert done.jobs == {"train bilinear", "diagnose bilinear", "diagnose study"} | SUMMARIES
    return project


def test_a_study_of_games_without_data_ends_in_a_report_with_its_verdicts(laboratory: Project) -> None:
    claims = pd.read_parquet(laboratory.results / "tables" / "claims.parquet")
    assert dict(zip(claims["claim"], claims["verdict"], strict=True)) == {"A1": "confirmed", "A4": "refuted"}
    runs = pd.read_parquet(laboratory.results / "tables" / "runs.parquet")
    assert dict(runs.groupby("dynamics")["outcome"].first()) == {"alternating": "finished", "simultaneous": "diverged"}
    report = (laboratory.results / "report.html").read_text()
    for said in ("A1", "A4", "Descent runs off.", "confirmed", "refuted"):
        assert said in report, f"the report does not say {said!r}"
    assert laboratory.dry_run().succeeded().jobs == set()


@pytest.mark.parametrize(
    ("changes", "jobs"),
    [
        pytest.param({"claims": LABORATORY["claims"][:1]}, {"tables", "report"}, id="claims"),
        pytest.param(
            {"diagnose": [*LABORATORY["diagnose"], "spectrum"]}, {"diagnose bilinear"} | SUMMARIES, id="experiment"
        ),
        pytest.param(
            {"diagnose": [LABORATORY["diagnose"][0], {"diagnostic": {"name": "convolution", "largest": 7}}]},
            {"diagnose study"} | SUMMARIES,
            id="experiment-of-the-study",
        ),
    ],
)
def test_instruments_and_claims_rerun_no_training(
    laboratory: Project, tmp_path: Path, changes: Study, jobs: set[str]
) -> None:
    project = laboratory.clone(tmp_path / "project")
    project.configure(LABORATORY | changes)

    assert project.dry_run().succeeded().jobs == jobs


def test_an_edited_template_renders_the_report_and_touches_nothing_else(project: Project) -> None:
    before = project.state()
    project.append("ganbench/report/report.html.j2", "\n<!-- edited -->\n")

    done = project.snakemake(*CORES).succeeded()

    assert done.jobs == {"report"}
    assert "<!-- edited -->" in (project.results / "report.html").read_text()
    assert changed_but_stamps(before, project.state()) == ["tiny/report.html"]


def changed_but_stamps(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The results that differ, apart from the empty files that stand for a job that is done."""
    return [path for path in differences(before, after) if "/.done/" not in path]


@pytest.mark.parametrize(
    ("changes", "members"),
    [
        pytest.param({"grid": [POINTS | {"seed": [0, 1, 2]}]}, 3, id="seed"),
        pytest.param({"grid": [POINTS | {"learning_rate": [1e-3, 5e-3]}]}, 4, id="learning-rate"),
        pytest.param({"pack": {"fuse": "never"}}, 2, id="no-member"),
    ],
)
def test_members_that_are_there_are_kept_and_only_new_ones_train(
    project: Project, changes: Study, members: int
) -> None:
    before = {stage: runs_of(project.file(stage, "ring8-mlp")) for stage in ("train", "evaluate")}
    clocks = clocks_of(project.file("train", "ring8-mlp"))
    project.configure(point_study(**changes))

    done = project.snakemake(*CORES, "--until", "evaluate").succeeded()

    assert done.jobs == {"train ring8-mlp", "evaluate ring8-mlp"}
    for stage, runs in before.items():
        after = runs_of(project.file(stage, "ring8-mlp"))
        assert len(after) == members
        for digest, run in runs.items():
            assert differences(run, after[digest]) == [], f"{stage} changed a run that was there"
    assert clocks.items() <= clocks_of(project.file("train", "ring8-mlp")).items(), "a run that was there trained again"


@pytest.mark.parametrize("records", [pytest.param((), id="records"), pytest.param((".snakemake",), id="no-records")])
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
        ("prepare", "ring8", ["judge ring8", "train ring8-mlp", "evaluate ring8-mlp", "collect"]),
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

    assert done.jobs == {f"{stage} {name}", *after}, "what it leads to is looked at again"
    for kind in ("train", "evaluate"):
        assert_same_runs(finished, clone, kind, "ring8-mlp")
    assert (clocks == clocks_of(clone.file("train", "ring8-mlp"))) == (stage != "train"), "only what is lost trains"


# The same again ------------------------------------------------------------------------------------------------------


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
        for contender in ("digits-fc", "digits-dcgan", "ring8-mlp"):
            assert_same_runs(finished, again, stage, contender)
    assert differing_tables(finished, again) == []


@pytest.mark.parametrize(
    ("fuse", "done"), [pytest.param("always", 0, id="fused"), pytest.param("never", 1, id="second-of-two-unfused")]
)
def test_training_killed_midway_goes_on_and_ends_as_if_nothing_had_happened(
    finished: Project, tmp_path: Path, fuse: str, done: int
) -> None:
    steps, long_ago = 600, 1e6
    project = untrained(finished, tmp_path / "project")
    project.configure(
        point_study(train=STUDY["train"] | {"steps": steps}, pack={"fuse": fuse}, machine={"checkpoint_seconds": 0})
    )
    undisturbed = project.clone(tmp_path / "undisturbed")
    command = (*PROFILE, "--cores", "1", "--until", "evaluate")

    with undisturbed.running(*command) as reference:
        with project.running(*command) as process:
            wait_for(
                lambda: len(checkpoints(project, "done")) == done and checkpoints(project, "state"),
                f"a checkpoint, with {done} members done",
                process,
            )
            project.kill(process)
        [checkpoint] = checkpoints(project, "state")
        assert 0 < step_of(checkpoint) < steps
        add_seconds(checkpoint, long_ago)
        trained_before = [seconds_of(checkpoint) for checkpoint in checkpoints(project, "done")]
        project.snakemake(*command).succeeded()
        undisturbed.end(reference).succeeded()

    seconds = [clocks["train_seconds"] for clocks in clocks_of(project.file("train", "ring8-mlp")).values()]
    assert max(seconds) > long_ago / 2, "training did not go on from the checkpoint, whose seconds would count"
    assert set(trained_before) <= set(seconds), "a member that was done trained again"
    assert list((project.results / "train" / ".resume").iterdir()) == [], "checkpoints outlive their pack"
    for stage in ("train", "evaluate"):
        assert_same_runs(project, undisturbed, stage, "ring8-mlp")


def test_a_job_that_outlives_its_workflow_is_not_repeated_and_what_it_leads_to_is_not_forgotten(
    finished: Project, tmp_path: Path
) -> None:
    project = untrained(finished, tmp_path / "project")
    project.configure(point_study(train=STUDY["train"] | {"steps": 2000}))
    trained = project.results / "train"
    with project.running(*PROFILE) as process:
        wait_for(lambda: list((trained / ".resume").glob("*")), "training", process)
        process.kill()  # alone: no note says that its jobs came to an end
        process.wait()
        end = time.monotonic() + LIMIT_SECONDS
        while not list(trained.glob("*.h5")):
            assert time.monotonic() < end, "the job ended with its workflow"
            time.sleep(0.1)
    clocks = clocks_of(project.file("train", "ring8-mlp"))
    again = project.clone(tmp_path / "again")

    project.snakemake(*PROFILE).succeeded()
    repeated = again.snakemake(*CORES, "--rerun-incomplete").succeeded()

    assert clocks_of(project.file("train", "ring8-mlp")) == clocks, "it was trained again"
    assert (project.results / "report.html").exists()
    assert {"train ring8-mlp", "evaluate ring8-mlp", "report"} <= repeated.jobs
    assert (again.results / "report.html").exists()
    assert_same_runs(project, again, "evaluate", "ring8-mlp")


def untrained(finished: Project, folder: Path) -> Project:
    """A copy of the finished project in which nothing was trained; its data sets are there."""
    return finished.clone(folder, ignore=("train", "evaluate", "collect"))


def assert_same_runs(one: Project, other: Project, stage: str, contender: str) -> None:
    """All that two projects recorded of a contender's runs is the same, bit for bit."""
    ones, others = (runs_of(project.file(stage, contender)) for project in (one, other))
    assert ones.keys() == others.keys()
    for digest in ones:
        assert differences(ones[digest], others[digest]) == [], f"{stage} of {contender} differs"


def checkpoints(project: Project, holding: str) -> list[Path]:
    """The checkpoints of packs in training: those holding a `state` to go on from, or those holding members `done`."""
    found = []
    for path in (project.results / "train" / ".resume").glob("*/*.h5"):
        if holding in tree_of(path, "resume")["saved"]:
            found.append(path)
    return found


def step_of(checkpoint: Path) -> int:
    """The last step of the state."""
    return tree_of(checkpoint, "resume")["saved"]["state"]["step"]


def seconds_of(checkpoint: Path) -> float:
    """How long the one member took that is done."""
    return tree_of(checkpoint, "resume")["saved"]["done"]["0"]["about"]["train_seconds"]


def add_seconds(checkpoint: Path, seconds: float) -> None:
    """Mark a checkpoint by a time that no training takes; it ends up in the results of whoever goes on from there."""
    saved = tree_of(checkpoint, "resume")
    with store.writing(checkpoint, "resume") as file:
        store.save(file, {"saved": {**saved["saved"], "seconds": seconds}})


# What fails ----------------------------------------------------------------------------------------------------------


def test_a_failed_job_says_why_and_all_other_results_stay(project: Project) -> None:
    (project.folder / "broken.py").write_text(BROKEN_DATASET)
    more_points = POINTS | {"seed": [0, 1, 2]}
    project.configure(study(grid=[IMAGES, more_points, POINTS | {"dataset": "broken.py"}]))
    project.check()  # so that it is known to be well, and not tried again
    (project.folder / "fire").touch()
    before = project.state()

    done = project.snakemake(*CORES, "--keep-going")

    assert done.status != 0
    assert done.jobs == {"prepare broken", "train ring8-mlp", "evaluate ring8-mlp"}
    assert "results/tiny/logs/prepare/broken-" in done.output, "the log that tells why is not named"
    assert "OSError: the disk with the examples caught fire" in project.log("prepare", "broken")
    changed = [path for path in differences(before, project.state()) if "/ring8-mlp-" not in path]
    assert changed == [], "results of other jobs changed"
    project.configure(study(grid=[IMAGES, more_points]))
    assert project.dry_run().succeeded().jobs == SUMMARIES, "what the other jobs did was lost"


def test_a_report_that_fails_leaves_the_one_before(project: Project) -> None:
    before = project.state()
    project.append("ganbench/report/report.html.j2", "{% broken")

    done = project.snakemake(*CORES)

    assert done.status != 0
    assert done.jobs == {"report"}
    assert "TemplateSyntaxError" in (project.results / "logs" / "report.log").read_text()
    assert changed_but_stamps(before, project.state()) == []


def test_a_member_that_diverges_is_recorded_and_leaves_its_neighbours_alone(finished: Project, tmp_path: Path) -> None:
    # In float64, where members of one pack agree with those of another to the last few digits.
    train, descent = STUDY["train"] | {"dtype": "float64"}, POINTS | {"update": "sgd"}
    calm, wild = 1e-2, 1e30
    alone, together = untrained(finished, tmp_path / "alone"), untrained(finished, tmp_path / "together")
    alone.configure(study(grid=[descent | {"learning_rate": [calm]}], train=train))
    together.configure(study(grid=[descent | {"learning_rate": [calm, wild]}], train=train))

    with alone.running("--cores", "1", "--until", "train") as reference:
        together.snakemake(*CORES, "tables").succeeded()
        alone.end(reference).succeeded()

    runs = pd.read_parquet(together.collected() / "runs.parquet")
    diverged = runs[runs["learning_rate"] == wild]
    assert list(diverged["outcome"]) == ["diverged"] * len(POINTS["seed"])
    assert (diverged["steps_done"] == diverged["outcome_step"]).all()
    assert diverged["outcome_step"].between(1, train["steps"] - 1).all()
    assert diverged["outcome_why"].str.fullmatch(r"\w+ became (nan|-?inf)").all(), list(diverged["outcome_why"])
    assert "diverged" not in set(runs.loc[runs["learning_rate"] == calm, "outcome"])
    for name in ("runs", "snapshots", "curves"):
        assert set(diverged["run"]) <= set(pd.read_parquet(together.collected() / f"{name}.parquet")["run"]), name
    assert set(diverged["run"]) <= set(pd.read_csv(together.results / "tables" / "runs.csv")["run"])
    neighbours = arrays_of(alone.file("train", "ring8-mlp"))
    assert len(neighbours) > 0
    for name, array in arrays_of(together.file("train", "ring8-mlp")).items():
        if name in neighbours:
            np.testing.assert_allclose(array, neighbours[name], rtol=1e-9, atol=1e-12, err_msg=name)
    assert neighbours.keys() <= arrays_of(together.file("train", "ring8-mlp")).keys()


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """Every array of a file's runs, by its place."""
    return {name: value for name, value in flat(tree_of(path)["runs"]).items() if isinstance(value, np.ndarray)}


# What is refused -----------------------------------------------------------------------------------------------------


def assert_refused(project: Project, words: Iterable[str], *arguments: str) -> None:
    """Snakemake ends with a message that has all the words, starts no job and leaves all results as they are."""
    before = project.state()

    done = project.snakemake(*arguments)

    assert done.status != 0, f"Snakemake went through with it and said:\n{done.output}"
    message = " ".join(done.output.split())
    missing = [word for word in words if word not in message]
    assert missing == [], f"the message lacks {missing}:\n{done.output}"
    assert "Traceback" not in done.output
    assert 'File "' not in done.output, f"the message comes with a traceback:\n{done.output}"
    assert done.jobs == set()
    assert differences(before, project.state()) == []


@pytest.mark.parametrize(
    ("mistaken", "words"),
    [
        pytest.param(
            study(titel="A tiny study"),
            [
                "config/config.yaml",
                "unknown key 'titel'",
                "Did you mean 'title'?",
                "Valid: claims, description, diagnose, evaluate",
            ],
            id="key",
        ),
        pytest.param(
            study(evaluate={"sample": 100}),
            ["evaluate", "unknown key 'sample'", "Did you mean 'samples'?"],
            id="key-of-a-section",
        ),
        pytest.param(
            study(grid=[IMAGES | {"architecture": "dcgann"}]),
            ["grid[0].architecture", "unknown architecture 'dcgann'", "Did you mean 'dcgan'?", "fc, mlp"],
            id="architecture",
        ),
        pytest.param(
            study(grid=[IMAGES | {"architecture": {"name": "dcgan", "feature": 4}}]),
            ["grid[0].architecture", "unknown option 'feature'", "Did you mean 'features'?"],
            id="option",
        ),
        pytest.param(
            study(grid=[POINTS | {"architecture": "networks/own.py"}]),
            ["grid[0].architecture", "'networks/own.py'", "there is no such file"],
            id="own-file",
        ),
        pytest.param(
            study(grid=[IMAGES | {"n_train": [100, 5000]}]),
            ["grid[0].n_train", "5000", "1 to 1437", "'all'"],
            id="n_train",
        ),
        pytest.param(study(train={"steps": "many"}), ["train.steps", "'many'", "integer"], id="type"),
        pytest.param(study(pack={"fuse": "perhaps"}), ["pack.fuse", "'perhaps'", "'auto'", "'never'"], id="choice"),
        pytest.param(study(study="../x"), ["study", "'../x'"], id="path-as-a-name"),
        pytest.param(study(study="; rm -rf ~"), ["study", "'; rm -rf ~'"], id="command-as-a-name"),
        pytest.param(study(results="a{b}c"), ["results", "a{b}c"], id="wildcard-in-a-path"),
    ],
)
def test_a_mistaken_study_is_refused_before_anything_starts(
    project: Project, mistaken: Study, words: list[str]
) -> None:
    project.configure(mistaken)

    assert_refused(project, words, "--dry-run")


def test_an_architecture_that_cannot_do_the_data_is_refused_before_the_first_job(project: Project) -> None:
    project.configure(study(grid=[IMAGES, POINTS | {"architecture": "dcgan"}]))

    words = ["architecture 'dcgan'", "data set 'ring8'", "(2,)", "square images", "Architectures that can: mlp"]
    assert_refused(project, words, *CORES)


def test_values_on_the_command_line_lie_over_the_default_study(project: Project) -> None:
    assert project.dry_run("--config", "title=Another title").succeeded().jobs == {"report"}


def test_a_study_named_on_the_command_line_does_not_lie_over_the_default_one(project: Project) -> None:
    (project.folder / "own.yaml").write_text("study: own\n")

    assert_refused(
        project, ["own.yaml is not a valid study", "grid: is missing"], "--dry-run", "--configfile", "own.yaml"
    )


def truncated(project: Project) -> list[str]:
    path = project.file("train", "digits-fc")
    size = path.stat().st_size
    os.truncate(path, 1000)
    return [str(path.relative_to(project.folder)), "is truncated", "1,000", f"{size:,}", "Remove it"]


def foreign(project: Project) -> list[str]:
    path = project.file("evaluate", "digits-fc")
    with h5py.File(path, "w") as file:
        file["measurements"] = [1.0, 2.0]
    return [str(path.relative_to(project.folder)), "ganbench did not write", "Move it"]


def misplaced(project: Project) -> list[str]:
    path = project.file("train", "digits-fc")
    shutil.copy(project.file("evaluate", "digits-fc"), path)
    return [str(path.relative_to(project.folder)), "kind 'evaluate'", "'train'"]


def of_another_version(project: Project) -> list[str]:
    path = project.results / ".ganbench.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99, "version": "9.9"}))
    return ["results/tiny", "ganbench 9.9", "format 99", "'results' folder"]


@pytest.mark.parametrize("spoil", [truncated, foreign, misplaced, of_another_version])
@pytest.mark.parametrize("to_do", [pytest.param(False, id="all-done"), pytest.param(True, id="work-to-do")])
def test_results_that_are_not_whole_or_not_ours_are_refused(
    project: Project, spoil: Callable[[Project], list[str]], to_do: bool
) -> None:
    words = spoil(project)
    if to_do:
        project.configure(study(title="Another title"))

    assert_refused(project, words, *CORES)


def test_a_second_workflow_on_the_same_results_is_told_who_holds_them(finished: Project, tmp_path: Path) -> None:
    project = untrained(finished, tmp_path / "project")
    project.configure(point_study())
    lock = project.results / ".lock"

    with project.running(*PROFILE, "--until", "train") as first:
        wait_for(lambda: lock.exists() and lock.read_text(), "a lock", first)
        second = project.snakemake(*PROFILE, "--quiet", "host")
        first_done = project.end(first)

    owner = f"process {first.pid} of {getpass.getuser()} on {socket.gethostname()}"
    assert second.status != 0
    assert f"the results folder results/tiny is in use by {owner}" in second.output
    assert "Error" in second.output
    assert "Finished jobid" not in second.output
    first_done.succeeded()
    assert len(runs_of(project.file("train", "ring8-mlp"))) == len(POINTS["seed"])


# The workflow's own text ---------------------------------------------------------------------------------------------


def test_snakemake_finds_nothing_to_lint(finished: Project) -> None:
    assert "your workflow is in a good condition" in finished.snakemake("--lint").output


def test_snakemake_counts_the_jobs_that_check_counts_and_says_each_in_few_words(finished: Project, tmp_path) -> None:
    clone = finished.clone(tmp_path / "clone", ignore=("results", ".snakemake"))
    planned = clone.snakemake(*CORES, "--dry-run").succeeded().output
    (total,) = set(re.findall(r"^total +(\d+)$", planned, flags=re.MULTILINE))  # told before the jobs and after
    assert f"of them to do; Snakemake counts {total}, its rule `all` among them." in clone.check()
    assert max(map(len, planned.splitlines())) < 300
    assert "Job 0: all of tiny" in planned


def test_what_snakemake_says_of_a_job_is_shortened() -> None:
    files = [f"file-{place}" for place in range(50)]
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, "Rule: collect", None, None)
    vars(record).update(reason="Missing output files: " + ", ".join(files), input=files, output=files[:2])
    assert Shortened().filter(record)
    assert len(record.reason) <= 200
    assert record.input == [*files[:3], "and 47 more"]
    assert record.output == files[:2]
    nothing = logging.LogRecord("s", logging.WARNING, "", 0, "Cannot restore a/b.h5: no backup found.", None, None)
    assert not Shortened().filter(nothing)
    restored = logging.LogRecord("s", logging.WARNING, "", 0, "Restored previous version of a/b.h5", None, None)
    assert Shortened().filter(restored)


def test_the_workflow_is_formatted() -> None:
    done = subprocess.run(
        [BIN / "snakefmt", "--check", "Snakefile", "workflow"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
