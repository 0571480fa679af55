"""What a fault or a mistake leaves behind, and in which words it is told."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from comparing import changed_but_stamps, differences
from stored import flat, tree_of
from tiny_studies import IMAGES, POINTS, REPORT, STUDY, SUMMARIES, Study, study
from workflow_project import CORES, Project

# Loads nothing: stands for a disk, a download or a decoder that fails after the study was found valid.
BROKEN_DATASET = '''"""Eight Gaussians that cannot be read once there is a file `fire` beside this one."""

from dataclasses import dataclass
from pathlib import Path

from ganbench.data import ring8


@dataclass(frozen=True)
class Flammable(ring8.Ring8):
    def load(self):
        if Path(__file__).with_name("fire").exists():
            raise OSError("the disk with the examples caught fire")
        return super().load()
'''


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
    train, descent = STUDY["train"] | {"precision": "float64"}, POINTS | {"optimizer": "sgd"}
    calm, wild = 1e-2, 1e30
    alone, together = finished.untrained(tmp_path / "alone"), finished.untrained(tmp_path / "together")
    alone.configure(study(grid=[descent | {"learning_rate": [calm]}], train=train))
    together.configure(study(grid=[descent | {"learning_rate": [calm, wild]}], train=train))

    with alone.running("--cores", "1", "--until", "train") as reference:
        together.snakemake(*CORES, "tables").succeeded()
        alone.end(reference).succeeded()

    runs = pd.read_parquet(together.collected() / "runs.parquet")
    diverged = runs[runs["learning_rate"] == wild]
    assert list(diverged["outcome"]) == ["diverged"] * len(POINTS["seed"])
    assert (diverged["steps_done"] == diverged["outcome_onset"]).all()
    assert diverged["outcome_onset"].between(1, train["steps"] - 1).all()
    assert diverged["outcome_evidence"].str.fullmatch(r"\w+ became (nan|-?inf)").all(), list(
        diverged["outcome_evidence"]
    )
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
                "Valid: claims, compare, description, diagnose, evaluate",
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
            ["grid[0].architecture", "unknown architecture 'dcgann'", "Did you mean 'dcgan'?", ", fc, "],
            id="architecture",
        ),
        pytest.param(
            study(grid=[IMAGES | {"architecture": {"name": "dcgan", "base_channel": 4}}]),
            ["grid[0].architecture", "unknown option 'base_channel'", "Did you mean 'base_channels'?"],
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
    assert project.dry_run("--config", "title=Another title").succeeded().jobs == REPORT


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
@pytest.mark.parametrize(
    "to_do", [pytest.param(False, id="all-done"), pytest.param(True, id="work-to-do", marks=pytest.mark.slow)]
)
def test_results_that_are_not_whole_or_not_ours_are_refused(
    project: Project, spoil: Callable[[Project], list[str]], to_do: bool
) -> None:
    words = spoil(project)
    if to_do:
        project.configure(study(title="Another title"))

    assert_refused(project, words, *CORES)
