"""Ordinary PyTorch networks of every kind through a study, stage by stage, to what leaves it."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import awkward_networks
import numpy as np
import pandas as pd
import pytest
import torch
from awkward_networks import LAYERS
from comparing import differences, runs_of
from repository import ROOT
from typer.testing import CliRunner

from ganbench import export
from ganbench.cli import app
from ganbench.core import result_files
from ganbench.nn.evaluation_inputs import latent_points
from ganbench.pipeline.execution.result_cache import group_of
from ganbench.pipeline.plan import Plan
from ganbench.study.names import slug
from ganbench.study.schema import load

BATCH = 8
FILE = """

from dataclasses import dataclass

from ganbench.architectures import Architecture


@dataclass(frozen=True)
class Awkward(Architecture):
    layer: str = "dropout"
    latent_size: int = 2

    def generator(self, data):
        return network(self.layer, self.latent_size, 2)

    def discriminator(self, data):
        return nn.Sequential(network(self.layer, 2, 1), nn.Flatten(0))
"""


def study_of(folder: Path, layers: list[str], **sections) -> Path:
    """The file of a study of networks with these layers, from an architecture's file in the folder."""
    folder.mkdir(exist_ok=True)
    own = folder / "awkward.py"
    own.write_text(inspect.getsource(awkward_networks) + FILE)
    content = {
        "study": "awkward",
        "results": str(folder / "results"),
        "grid": [
            {
                "dataset": {"name": "ring8", "examples": 256},
                "architecture": [{"name": str(own), "layer": layer} for layer in layers],
                "learning_rate": 1e-3,
                "seed": [0, 1],
            }
        ],
        "train": {"steps": 60, "batch_size": BATCH, "snapshots": {"count": 2}},
        "evaluate": {"samples": 200, "samples_kept": 16},
        "machine": {"device": "cpu"},
    }
    path = folder / "study.yaml"
    path.write_text(json.dumps(content | sections))
    return path


def invoke(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def samples(plan: Plan, run: str) -> np.ndarray:
    """The last samples of a run."""
    digest = plan.digests.evaluate[run]
    (path,) = result_files.find_runs(plan.folder / "evaluate", "evaluate", [digest]).values()
    with result_files.open_file(path, "evaluate") as file:
        return result_files.descend(group_of(file, digest), "samples")[-1]


@pytest.mark.slow
def test_a_study_of_every_kind_of_network_runs_to_its_tables_and_leaves_it(tmp_path):
    path = study_of(tmp_path, list(LAYERS))
    for stage in ("check", "train", "evaluate", "tables"):
        invoke(stage, str(path))
    plan = Plan(load(path))
    assert len(plan.grid.runs) == 2 * len(LAYERS)
    table = pd.read_parquet(plan.folder / "tables" / "runs.parquet").set_index("run")
    assert (table["steps_done"] == 60).all()
    assert table["fd_final"].notna().all()
    for layer in LAYERS:
        (run,) = [
            run for run in plan.grid.runs if run.choice("architecture").options["layer"] == layer and run.seed == 1
        ]
        assert slug(layer) in run.id or layer == "dropout"
        generator = export.generator(path, run.id)
        size = 200 if layer == "branching" else BATCH  # which takes one branch for the whole batch
        with torch.no_grad():
            points = torch.cat([generator(part) for part in latent_points(1, 200, 2).split(size)]).numpy()
        if layer not in ("noise", "counted"):  # which draw noise, and count calls, in evaluation too
            np.testing.assert_allclose(points, samples(plan, run.id)[:200], rtol=1e-5, atol=1e-6, err_msg=layer)
        invoke("export", run.id, "--study", str(path), "--output", str(tmp_path / slug(layer)))
        loaded = export.load(tmp_path / slug(layer)).state_dict()
        kept = export.generator(path, run.id).state_dict()
        assert loaded.keys() == kept.keys()
        assert all(torch.equal(loaded[name], kept[name]) for name in kept), layer
        program = json.loads((tmp_path / slug(layer) / "model.json").read_text())["program"]
        refused = layer == "branching"
        assert program.startswith("none, since PyTorch's tracer says: ") if refused else program == "generator.pt2"
    (tmp_path / "awkward.py").unlink()
    shutil.rmtree(tmp_path / "results")
    folder = tmp_path / "running-batch-norm"
    environment = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "sample.py"], cwd=folder, env=environment, check=True)
    assert np.loadtxt(folder / "samples.csv", delimiter=",").shape == (64, 2)


@pytest.mark.slow
def test_training_that_is_killed_goes_on_bit_for_bit(tmp_path):
    layers = ["running batch norm", "dropout"]
    sections = {
        "train": {"steps": 200, "batch_size": BATCH, "snapshots": {"count": 4}},
        "machine": {"device": "cpu", "checkpoint_seconds": 0},
    }
    disturbed, quiet = (study_of(tmp_path / name, layers, **sections) for name in ("disturbed", "quiet"))
    resume, end = disturbed.parent / "results" / "awkward" / "train" / ".resume", time.monotonic() + 300
    command = [sys.executable, "-m", "ganbench", "train", str(disturbed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not list(resume.rglob("*.h5")):
            assert process.poll() is None, "it ended before there was a checkpoint"
            assert time.monotonic() < end
            time.sleep(0.01)
        process.kill()
    assert not list(resume.parent.glob("*.h5"))
    trained = []
    for path in (disturbed, quiet):
        invoke("train", str(path))
        jobs = Plan(load(path)).train.values()
        trained.append({digest: run for job in jobs for digest, run in runs_of(job.path).items()})
    one, other = trained
    assert one.keys() == other.keys()
    assert len(one) == 2 * len(layers)
    apart = {name for digest in one for name in differences(one[digest], other[digest])}
    assert apart == {"member/config/architecture/name"}, "the file lies elsewhere"
