"""Workflows that are killed, and two at once: what was done stays, and the numbers are those of a quiet run."""

from __future__ import annotations

import getpass
import json
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from comparing import assert_same_runs, clocks_of, runs_of
from stored import tree_of
from tiny_studies import POINTS, STUDY, point_study
from workflow_project import CONFIG, CORES, EACH_JOB, LIMIT_SECONDS, Project, wait_for

from ganbench.core import result_files

EAGER = {"execution": "eager"}  # so that training takes long enough to be disturbed


@pytest.mark.parametrize(
    ("fuse", "done"),
    [
        pytest.param("always", 0, id="fused"),
        pytest.param("never", 1, id="second-of-two-unfused", marks=pytest.mark.slow),
    ],
)
def test_training_killed_midway_goes_on_and_ends_as_if_nothing_had_happened(
    finished: Project, tmp_path: Path, fuse: str, done: int
) -> None:
    steps, long_ago = 600, 1e6
    project = finished.untrained(tmp_path / "project")
    project.configure(
        point_study(
            train=STUDY["train"] | {"steps": steps}, pack={"fuse": fuse} | EAGER, machine={"checkpoint_seconds": 0}
        )
    )
    undisturbed = project.clone(tmp_path / "undisturbed")
    command = ("--cores", "1", "--until", "evaluate")

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
    project = finished.untrained(tmp_path / "project")
    project.configure(point_study(train=STUDY["train"] | {"steps": 2000}, pack=EAGER))
    trained = project.results / "train"
    with project.running() as process:
        wait_for(lambda: list((trained / ".resume").glob("*")), "training", process)
        process.kill()  # alone: no note says that its jobs came to an end
        process.wait()
        end = time.monotonic() + LIMIT_SECONDS
        while not list(trained.glob("*.h5")):
            assert time.monotonic() < end, "the job ended with its workflow"
            time.sleep(0.1)
    clocks = clocks_of(project.file("train", "ring8-mlp"))
    again = project.clone(tmp_path / "again")

    project.snakemake().succeeded()
    repeated = again.snakemake(*CORES, "--workflow-profile", "none", "--rerun-incomplete").succeeded()

    assert clocks_of(project.file("train", "ring8-mlp")) == clocks, "it was trained again"
    assert (project.results / "report.html").exists()
    assert {"train ring8-mlp", "evaluate ring8-mlp", "report"} <= repeated.jobs
    assert (again.results / "report.html").exists()
    assert_same_runs(project, again, "evaluate", "ring8-mlp")


def test_studies_that_are_told_to_stop_stop_at_once_and_keep_checkpoints(tmp_path: Path) -> None:
    """At SIGTERM, Snakemake lets its jobs finish first, which may take hours."""
    game = {"game": "bilinear", "optimizer": "sgd", "learning_rate": 0.01, "seed": 0}
    study = {"study": "tiny", "grid": [game], "train": {"steps": 1_000_000}, "machine": {"checkpoint_seconds": 0}}
    decide = (sys.executable, "-m", "ganbench", "decide")
    project = replace(Project.create(tmp_path / "project", study | {"pack": EAGER}), program=decide)
    with project.running(str(CONFIG)) as process:
        wait_for(lambda: checkpoints(project, "state"), "a checkpoint", process)
        process.terminate()
        time.sleep(0.1)
        process.terminate()  # as schedulers do
        done = project.end(process)  # when Snakemake and its jobs have ended as well, since they share its output

    assert done.status == 128 + signal.SIGTERM, done.output
    [checkpoint] = checkpoints(project, "state")
    [entry] = (project.results / ".jobs" / "train").glob("*.json")
    end = json.loads(entry.read_text())["ends"][-1]
    assert end["cause"].startswith(f"stopped: received SIGINT; checkpoint at step {step_of(checkpoint)};")


def test_a_second_workflow_on_the_same_results_is_told_who_holds_them(finished: Project, tmp_path: Path) -> None:
    project = finished.untrained(tmp_path / "project")
    project.configure(point_study())
    lock = project.results / ".lock"

    with project.running("--until", "train") as first:
        wait_for(lambda: lock.exists() and lock.read_text(), "a lock", first)
        second = project.snakemake(EACH_JOB)
        first_done = project.end(first)

    owner = f"process {first.pid} of {getpass.getuser()} on {socket.gethostname()}"
    assert second.status != 0
    assert f"the results folder results/tiny is in use by {owner}" in second.output
    assert "Error" in second.output
    assert "Finished jobid" not in second.output
    first_done.succeeded()
    assert len(runs_of(project.file("train", "ring8-mlp"))) == len(POINTS["seed"])


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
    with result_files.create_file(checkpoint, "resume") as file:
        result_files.write_tree(file, {"saved": {**saved["saved"], "seconds": seconds}})
