"""What Snakemake says, and how the workflow is written."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from repository import ROOT

from ganbench.pipeline.plan import Plan
from ganbench.pipeline.snakemake import Shortened, failure_message
from ganbench.study.schema import parse


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


def test_what_is_said_of_failed_jobs_names_the_study_s_file(tmp_path: Path) -> None:
    study = parse({"study": "x", "grid": [{"game": "bilinear", "learning_rate": 0.1, "seed": 0}]}, origin="study")
    told = failure_message(Plan(study, tmp_path / "mine.yaml"))
    assert f"`ganbench status {tmp_path}/mine.yaml`" in told
    assert "`ganbench report STUDY --partial`" in failure_message(Plan(study))


def test_the_workflow_is_formatted() -> None:
    snakefmt = Path(sys.executable).with_name("snakefmt")
    done = subprocess.run([snakefmt, "--check", "Snakefile", "workflow"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
