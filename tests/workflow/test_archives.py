"""Archives of public data sets in the workflow."""

from __future__ import annotations

import re
from pathlib import Path

from workflow_project import CORES, Project

BLOCK = {"architecture": {"name": "fc", "hidden_sizes": [8]}, "learning_rate": [1.0e-3], "seed": [0]}


def study(*datasets: dict) -> dict:
    grid = [BLOCK | {"dataset": dataset} for dataset in datasets]
    return {"study": "tiny", "title": "A tiny study", "grid": grid, "train": {"steps": 10}}


def test_logs_lie_in_the_results_folder_wherever_the_archives_are(tmp_path: Path) -> None:
    """MNIST's and Fashion-MNIST's files have the same names."""
    datasets = {"name": "mnist", "folder": "../below/mnist"}, {"name": "fashion_mnist"}
    project = Project.create(tmp_path / "project", study(*datasets))

    said = project.dry_run("--printshellcmds", *CORES).succeeded().output

    made = re.findall(r"^Job \d+: archive (\S+)$", said, flags=re.MULTILINE)
    assert len(made) == 8
    assert sum(path.startswith("../below/mnist/") for path in made) == 4
    logs = re.findall(r"ganbench archive .* 2>> (\S+)", said)
    assert len(set(logs)) == 8
    assert all(re.fullmatch(r"results/tiny/logs/archive/[\w.-]+\.gz-[0-9a-f]{12}\.log", path) for path in logs), logs
