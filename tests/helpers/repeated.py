"""A small study whose stages run in one process each time, under any environment, to compare what they compute."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from processors import AS_IT_IS

STUDY = {
    "study": "repeated",
    "results": "results",
    "grid": [
        {
            "dataset": "few.py",
            "architecture": {"name": "dcgan", "base_channels": 8},
            "learning_rate": 2.0e-3,
            "seed": [0, 1],
        },
        {"game": "bilinear", "dynamics": "alternating", "optimizer": "sgd", "learning_rate": 0.1, "seed": [0, 1]},
    ],
    "train": {"steps": 20, "batch_size": 64, "snapshots": {"count": 2}},
    "evaluate": {"metrics": ["fd", "kd", "mode_coverage"], "samples": 500, "samples_kept": 2},
    "diagnose": [{"diagnostic": {"name": "spectrum", "arnoldi_iterations": 6, "hutchinson_samples": 2}}, "path"],
}
FEW = '''"""Zeros and ones."""
from dataclasses import dataclass
from typing import ClassVar

from ganbench.data import Dataset, DataSpec, Examples, digits


@dataclass(frozen=True)
class Own(Dataset):
    judge: ClassVar[str] = "classifier(max_steps=200)"
    spec: ClassVar[DataSpec] = DataSpec(shape=(1, 8, 8), bounded=True, train=200, modes=2)

    def load(self):
        every = digits.Digits().load()
        train, heldout = every.train_modes < 2, every.heldout_modes < 2
        parts = every.train[train][:200], every.train_modes[train][:200]
        return Examples(*parts, every.heldout[heldout], every.heldout_modes[heldout])
'''
PROGRAM = """
import sys
from pathlib import Path
import yaml
from ganbench.study.schema import parse
from ganbench.pipeline.stages import run
from ganbench.pipeline.plan import Plan

plan = Plan(parse(yaml.safe_load(Path("study.yaml").read_text()), origin="study"))
for stage in sys.argv[1:]:
    for job in plan.jobs(stage).values():
        run(job)
"""


def begun(folder: Path) -> Path:
    """A folder with the study and its examples."""
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    (folder / "few.py").write_text(FEW)
    work(folder, ["prepare"], {})
    return folder


def again(folder: Path, copy: Path, stages: Sequence[str], environment: dict[str, str]) -> Path:
    """The study's next stages, in a copy of its folder and in a process with this environment."""
    shutil.copytree(folder, copy)
    work(copy, stages, environment)
    return copy


def work(folder: Path, stages: Sequence[str], environment: dict[str, str]) -> None:
    """Run all jobs of these stages."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *stages],
        cwd=folder,
        env=AS_IT_IS | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
