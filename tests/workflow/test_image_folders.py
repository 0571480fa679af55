"""A folder of a user's own photographs, from the files to the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image
from workflow_project import CORES, Project

CLASSES = ("daisies", "roses", "tulips")
STUDY = """\
study: tiny
grid:
  - dataset: {name: image_folder, folder: photos, image_size: 16}
    architecture: {name: dcgan, base_channels: 4}
    learning_rate: 2.0e-4
    seed: {count: 2}
train: {steps: 50}
evaluate: {samples: 64}
"""


def write_photographs(folder: Path, count: int) -> None:
    """JPEGs of mixed sizes, upright and across, grey and in colour; the channel that is bright tells the class."""
    random = np.random.default_rng(0)
    for index in range(count):
        kind = index % len(CLASSES)
        size = tuple(int(side) for side in random.integers(20, 90, 2))
        pixels = random.integers(0, 60, (*size, 3), dtype=np.uint8)
        pixels[..., kind] += 160
        place = folder / CLASSES[kind]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{index:03d}.jpg", quality=90)


def test_a_folder_of_photographs_goes_to_a_report_in_a_study_of_ten_lines(tmp_path: Path) -> None:
    assert len(STUDY.splitlines()) <= 10
    project = Project.create(tmp_path / "project", yaml.safe_load(STUDY))
    write_photographs(project.folder / "photos", 300)

    project.snakemake(*CORES).succeeded()

    runs = pd.read_csv(project.results / "tables" / "runs.csv")
    assert len(runs) == 2
    assert list(runs["n_train"]) == [270, 270]  # a tenth is held out
    snapshots = pd.read_csv(project.results / "tables" / "snapshots.csv")
    assert np.isfinite(snapshots["fd"]).all()
    assert snapshots["modes"].max() <= len(CLASSES)
    assert "image_folder" in (project.results / "report.html").read_text()

    # A photograph that changes makes the study run again, and only what depends on it.
    Image.new("RGB", (40, 50), "red").save(project.folder / "photos" / CLASSES[0] / "000.jpg")
    again = project.dry_run(*CORES).succeeded()
    assert {job.split()[0] for job in again.jobs} >= {"prepare", "train", "evaluate", "report"}
