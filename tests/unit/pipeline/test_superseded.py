"""What `ganbench clean` removes, and what it leaves."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from ganbench.cli import app
from ganbench.core.errors import GanbenchError
from ganbench.core.locks import hold_lock
from ganbench.pipeline import results_folder, superseded
from ganbench.pipeline.execution import journal
from ganbench.pipeline.plan import Plan
from ganbench.study.schema import load
from ganbench.study.study_files import path_from_root

GAME = {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": 0.1}


def written(place: Path, **changes) -> Path:
    """A study's file."""
    content = {
        "study": "small",
        "results": str(place / "results"),
        "grid": [{**GAME, "seed": [0, 1]}],
        "train": {"steps": 5},
        "machine": {"device": "cpu"},
        "track": {"uri": f"sqlite:///{place}/results/mlflow.db"},
    }
    path = place / "study.yaml"
    path.write_text(yaml.safe_dump(content | changes))
    return path


def invoke(*words: str, answer: str | None = None) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False, input=answer, env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    return result.output


def files(place: Path) -> set[Path]:
    return {path for path in place.rglob("*") if path.is_file() and path.name != results_folder.LOCK}


@pytest.fixture
def edited(tmp_path) -> Path:
    """A study that was trained, then edited and trained again: its file."""
    invoke("train", str(written(tmp_path)))
    first = files(tmp_path / "results")
    study = written(tmp_path, train={"steps": 6})
    invoke("train", str(study))
    assert first < files(tmp_path / "results"), "results of former settings are kept"
    return study


def leave(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("left")
    return path


def test_what_is_under_old_digests_is_shown_and_removed(edited, tmp_path):
    plan = Plan(load(edited))
    (job,) = plan.train.values()
    old = [path for path in (plan.folder / "train").glob("*.h5") if path != job.path]
    old += list((plan.folder / ".jobs" / "train").glob("*.json"))
    old.remove(journal.path_of(plan.folder, "train", job.path))
    old += [
        leave(plan.folder / place)
        for place in (
            "train/.resume/former-0/0123456789ab.h5",
            ".done/report-0123456789ab",
            "collect/0123456789ab/runs.parquet",
            "logs/train/former-0-0123456789ab.log",
            "benchmarks/train/former-0-0123456789ab.tsv",
        )
    ]
    stay = [
        leave(path)
        for path in (
            plan.folder / "report.html",
            plan.folder / job.log,
            plan.folder / "logs" / "report.log",
            tmp_path / "results" / "mlflow.db",
            tmp_path / "results" / "other" / "train" / "former-0-0123456789ab.h5",
            tmp_path / "results" / "weights" / "network.pth",
        )
    ]
    before = files(tmp_path)

    shown = invoke("clean", str(edited), "--dry-run")
    for path in old:
        assert any(str(parent) in shown for parent in (path, *path.parents[:2])), path
    assert f"{plan.folder}: 7 files and folders" in shown
    assert "Remove it?" not in shown
    assert files(tmp_path) == before

    assert "Removed" not in invoke("clean", str(edited), answer="n\n")
    assert files(tmp_path) == before

    assert "Removed" in invoke("clean", str(edited), "--yes")
    assert before - files(tmp_path) == set(old)
    assert set(stay) <= files(tmp_path)
    assert "Nothing in" in invoke("clean", str(edited))


def test_results_that_a_job_to_do_takes_runs_from_stay(tmp_path):
    invoke("train", str(written(tmp_path)))
    study = written(tmp_path, grid=[{**GAME, "seed": [0, 1, 2]}])
    plan = Plan(load(study))
    (path,) = (plan.folder / "train").glob("*.h5")
    assert path not in plan.files()
    assert path not in {each.path for each in superseded.find(plan)}


def test_results_of_another_study_of_the_same_name_are_removed_by_nobody_unasked(tmp_path):
    """A study that was copied and edited, but for its name."""
    study = written(tmp_path)
    invoke("train", str(study))
    copy = tmp_path / "copy.yaml"
    copy.write_text(study.read_text().replace("0.1", "0.2"))
    before = files(tmp_path)
    shared = f"'small' is also the study of {path_from_root(study)}: these may be its results"
    assert shared in invoke("clean", str(copy), "--dry-run")
    answered = invoke("clean", str(copy), "--yes", answer="n\n")
    assert shared in answered
    assert "Remove it?" in answered
    assert files(tmp_path) == before
    invoke("train", str(copy))
    assert "is also the study of" in invoke("clean", str(study), "--dry-run")
    copy.write_text(copy.read_text().replace("small", "other"))
    assert "is also the study of" not in invoke("clean", str(study), "--dry-run")
    copy.unlink()
    assert "Removed" in invoke("clean", str(study), "--yes")


def test_nothing_is_removed_while_a_workflow_holds_the_folder_or_a_job_runs(edited):
    plan = Plan(load(edited))
    before = files(plan.folder)
    with (
        hold_lock(plan.folder / results_folder.LOCK, "the folder"),
        pytest.raises(GanbenchError, match=r"results folder .* is in use by process"),
    ):
        CliRunner().invoke(app, ["clean", str(edited), "--yes"], catch_exceptions=False)
    (job,) = plan.train.values()
    entry = journal.Entry(True, "node1", 4711, "", "", "", time.time())
    place = journal.path_of(plan.folder, "train", job.path)
    kept = place.read_text()
    place.write_text(json.dumps(asdict(entry)))
    with pytest.raises(GanbenchError, match=r"train .* is running \(process 4711 on node1\)"):
        CliRunner().invoke(app, ["clean", str(edited), "--yes"], catch_exceptions=False)
    place.write_text(kept)
    assert files(plan.folder) == before
