"""Trained networks outside of ganbench: the module, the folder, its script, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from building import part
from documentation import blocks
from PIL import Image
from repository import ROOT
from safetensors.torch import load_file
from torch.nn.utils import parameters_to_vector
from typer.testing import CliRunner

from ganbench import export
from ganbench.cli import app
from ganbench.contracts.templates import written
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.export.mlflow_model import GeneratorModel
from ganbench.metrics._frechet import frechet_distance, frechet_reference
from ganbench.nn.evaluation_inputs import latent_points
from ganbench.pipeline.execution.result_cache import group_of
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run as run_job
from ganbench.study.schema import load

pytestmark = pytest.mark.slow  # two studies are trained first

RUN = "digits-dcgan-alternating-adam-n100-lr0.002-s0"
RESIDUAL = "ring8-residual-alternating-adam-n512-lr0.001-s0"
CONDITIONAL = "ring8-conditional-networks-alternating-adam-n512-lr0.001-s0"
DIVERGED = "ring8-mlp-alternating-sgd-n512-lr1000000000.0-s0"
TOY = "bilinear-simultaneous-sgd-lr0.1-s0"
BATCH = 16


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A study's file: a shipped architecture, one of a user's own, runs that diverge, and a game of two numbers."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "residual.py").write_text(written("architecture", "residual"))
    ring = {"dataset": {"name": "ring8", "examples": 512}, "seed": 0}
    content = {
        "study": "small",
        "results": str(folder / "results"),
        "grid": [
            {
                "dataset": "digits",
                "architecture": {"name": "dcgan", "base_channels": 4},
                "n_train": 100,
                "learning_rate": 2e-3,
                "seed": [0, 1],
            },
            {**ring, "architecture": {"name": str(folder / "residual.py"), "width": 8}, "learning_rate": 1e-3}
            | {"train": {"ema_decay": 0.8}},
            {
                **ring,
                "architecture": {"name": str(ROOT / "tests/helpers/conditional_networks.py"), "discriminates": "named"},
                "learning_rate": 1e-3,
            },
            {**ring, "architecture": {"name": "mlp", "width": 8}, "optimizer": "sgd", "learning_rate": 1e9},
            {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": 0.1, "seed": 0},
        ],
        "train": {"steps": 30, "batch_size": BATCH, "snapshots": {"count": 3, "spacing": "even"}},
        "evaluate": {"samples": 100, "samples_kept": 64},
        "machine": {"device": "cpu"},
    }
    path = folder / "my-study.yaml"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def plan(study) -> Plan:
    """Its plan; all is trained and evaluated but the game of two numbers."""
    found = Plan(load(study))
    for job in found.needed(found.evaluate.values()):
        run_job(job)
    return found


def kept(plan: Plan, run: str, index: int) -> np.ndarray:
    """The samples of a run at a snapshot, as its evaluation keeps them."""
    digest = plan.digests.evaluate[run]
    (path,) = result_files.find_runs(plan.folder / "evaluate", "evaluate", [digest]).values()
    with result_files.open_file(path, "evaluate") as file:
        return result_files.descend(group_of(file, digest), "samples")[index]


def drawn(module: torch.nn.Module, seed: int, size: int, count: int) -> np.ndarray:
    """Examples from the latent points for evaluation, in batches of training's size."""
    latent = latent_points(seed, 112, size)  # whole batches
    with torch.no_grad():
        return torch.cat([module(part) for part in latent.split(BATCH)])[:count].numpy()


def assert_same_state(one: torch.nn.Module, other: torch.nn.Module) -> None:
    ones, others = one.state_dict(), other.state_dict()
    assert list(ones) == list(others)
    assert all(torch.equal(ones[name], others[name]) for name in ones)


@pytest.mark.parametrize(("run", "size"), [(RUN, 100), (RESIDUAL, 32)])
@pytest.mark.parametrize("index", [1, 2])
def test_the_module_draws_the_samples_of_the_report(study, plan, run, size, index):
    generator = export.generator(study, run, step=15 * index)
    assert not generator.training
    known = kept(plan, run, index)
    np.testing.assert_allclose(drawn(generator, 0, size, len(known)), known, rtol=1e-5, atol=1e-6)


def test_the_last_snapshot_is_the_default_and_both_players_are_there(study, plan):
    assert_same_state(export.generator(study, RUN), export.generator(study, RUN, step=30))
    start, end = (export.discriminator(study, RUN, step=step) for step in (0, 30))
    assert not torch.equal(start[0].weight, end[0].weight)
    assert end(torch.zeros(2, 1, 8, 8)).shape == (2,)


@pytest.mark.parametrize("run", [RUN, RESIDUAL])
def test_a_folder_has_the_module_and_says_what_it_is(study, plan, tmp_path, run):
    folder = export.write(study, run, folder=tmp_path / "there")
    generator = export.generator(study, run)
    for module in (export.load(folder), export.load(folder, "discriminator")):
        assert not module.training
    assert_same_state(export.load(folder), generator)
    assert_same_state(export.load(folder, "discriminator"), export.discriminator(study, run))
    weights = load_file(folder / "generator.safetensors")
    assert weights.keys() == generator.state_dict().keys()
    model = json.loads((folder / "model.json").read_text())
    assert (model["study"], model["run"], model["step"], model["seed"]) == ("small", run, 30, 0)
    assert model["architecture"]["name"] == ("dcgan" if run == RUN else "residual.py")
    assert model["data"]["shape"] == ([1, 8, 8] if run == RUN else [2])
    metrics = last_metrics(plan, run)
    assert model["metrics"].keys() == metrics.keys() >= {"fd"}
    assert model["metrics"] == pytest.approx(metrics, nan_ok=True)
    program = torch.export.load(folder / "generator.pt2").module()
    for batch in (1, 7):
        latent = torch.randn(batch, model["latent_size"])
        if batch > 1 or run == RESIDUAL:
            torch.testing.assert_close(program(latent), generator(latent))


def test_a_conditional_generator_draws_the_samples_of_the_report(study, plan, tmp_path):
    folder = export.write(study, CONDITIONAL, folder=tmp_path / "there")
    subprocess.run([sys.executable, folder / "sample.py"], check=True, cwd=ROOT)
    known = kept(plan, CONDITIONAL, 2)
    np.testing.assert_allclose(np.loadtxt(folder / "samples.csv", delimiter=","), known[:64], rtol=1e-4, atol=1e-6)
    program, generator = torch.export.load(folder / "generator.pt2").module(), export.generator(study, CONDITIONAL)
    latent, labels = torch.randn(5, 4), torch.tensor([7, 0, 0, 3, 1])
    torch.testing.assert_close(program(latent, labels), generator(latent, labels))
    assert not torch.allclose(generator(latent, labels)[1], generator(latent, labels + (labels == 0))[1])
    model = GeneratorModel(generator, 4, conditional=True, batch_size=BATCH)
    found = model.predict({"latent": latent.numpy(), "labels": labels.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), generator(latent, labels))
    with pytest.raises(
        GanbenchError, match=r"is conditional, .* no labels\. Give {'latent': \(n, 4\), 'labels': \(n,\)}"
    ):
        model.predict(latent.numpy())
    outputs = export.discriminator(study, CONDITIONAL)(generator(latent, labels))
    assert outputs["class_logits"].shape == (5, 8)


def test_the_moving_average_of_the_parameters_is_a_module_of_its_own(study, plan, tmp_path):
    averaged, last = (export.generator(study, RESIDUAL, averaged=each) for each in (True, False))
    apart = parameters_to_vector(averaged.parameters()) - parameters_to_vector(last.parameters())
    assert 1e-4 < apart.abs().max() < 0.1
    folder = export.write(study, RESIDUAL, averaged=True, folder=tmp_path / "there")
    assert_same_state(export.load(folder), averaged)
    model = json.loads((folder / "model.json").read_text())
    assert model["averaged"]
    examples, judge = part("dataset", "ring8", examples=512).load(), part("judge", "mixture")
    known = judge.fit(examples)
    points, real = (judge.judge(known, each).features for each in (drawn(averaged, 0, 32, 100), examples.train))
    assert frechet_distance(points, frechet_reference(real)) == pytest.approx(model["metrics"]["fd_ema"], rel=1e-4)
    assert model["metrics"]["fd_ema"] != pytest.approx(model["metrics"]["fd"], rel=1e-3)
    with pytest.raises(GanbenchError, match=rf"run {RUN} keeps no average of its parameters; `train: .ema_decay"):
        export.discriminator(study, RUN, averaged=True)


def last_metrics(plan: Plan, run: str) -> dict[str, float]:
    digest = plan.digests.evaluate[run]
    (path,) = result_files.find_runs(plan.folder / "evaluate", "evaluate", [digest]).values()
    with result_files.open_file(path, "evaluate") as file:
        tree = result_files.read_tree(result_files.descend(group_of(file, digest), "metrics"))
    return {name: values[-1] for name, values in tree.items()}


@pytest.mark.parametrize("run", [RUN, RESIDUAL])
def test_the_script_of_a_folder_draws_what_evaluation_drew(study, plan, tmp_path, run):
    """In a process of its own, of which neither study nor results nor the user's own file are known."""
    folder = export.write(study, run, folder=tmp_path / "there")
    code = subprocess.run(
        [sys.executable, "sample.py"], cwd=folder, env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}, check=False
    ).returncode
    assert code == 0
    known = kept(plan, run, 2)
    if run == RUN:
        grid = np.asarray(Image.open(folder / "samples.png"))[..., 0]
        tiles = [grid[10 * i + 2 : 10 * i + 10, 10 * j + 2 : 10 * j + 10] for i in range(8) for j in range(8)]
        np.testing.assert_allclose(tiles[: len(known)], (known[:, 0] + 1) / 2 * 255, atol=0.51)
    else:
        np.testing.assert_allclose(np.loadtxt(folder / "samples.csv", delimiter=","), known[:64], rtol=1e-4, atol=1e-6)


def test_the_notebook_of_the_pages_runs(study, plan, monkeypatch):
    (block,) = [block for block in blocks("python") if "import export" in block]
    named = {name: 0 for name in re.findall(r"digits-[a-z0-9.-]+", block)}
    assert len(named) == 1, "one run"
    monkeypatch.chdir(study.parent)
    found: dict = {}
    exec(block.replace(*named, RUN).replace("step=2500", "step=30"), found)
    assert found["images"].shape == (64, 1, 8, 8)
    assert_same_state(found["generator"], export.generator(study, RUN))


def test_the_results_of_the_pages_are_at_hand(study, plan, monkeypatch):
    (block,) = [block for block in blocks("python") if "ganbench.results(" in block]
    monkeypatch.chdir(study.parent)
    found: dict = {}
    exec(block, found)
    assert list(found["few"].runs["run"]) == [RUN, RUN[:-1] + "1"]
    assert_same_state(found["generator"], export.generator(study, RUN))
    np.testing.assert_array_equal(found["examples"], kept(plan, RUN, slice(None))[:, : found["examples"].shape[1]])
    assert list(found["steps"]) == [0, 15, 30]


def test_the_command_writes_beside_the_results(study, plan):
    def command(*words: str) -> str:
        return CliRunner().invoke(app, ["export", *words, "--study", str(study)], catch_exceptions=False).stdout

    folder = plan.folder / "export" / f"{RUN}-step15"
    assert str(folder / "sample.py") in command(RUN, "--step", "15")
    with pytest.raises(GanbenchError, match=r"has an export already; --force replaces it"):
        command(RUN, "--step", "15")
    (folder / "generator.safetensors").write_text("damaged")
    with pytest.raises(GanbenchError, match=r"generator\.safetensors does not fit architecture 'dcgan'"):
        export.load(folder)
    command(RUN, "--step", "15", "--force")
    assert_same_state(export.load(folder), export.generator(study, RUN, step=15))


@pytest.mark.parametrize(
    ("run", "step", "message"),
    [
        (
            RUN[:-1] + "7",
            None,
            rf"unknown run .*-s7' of study 'small'\. Did you mean .*{RUN}.* There are 6; the first is {RUN}",
        ),
        (RUN, 7, rf"run {RUN} has no snapshot of step 7\. Steps with a snapshot: 0, 15, 30\."),
        (DIVERGED, None, r"diverged at step \d+ \(.* became .*\).* Choose a step\. Steps with a snapshot: 0\."),
        (DIVERGED, 15, r"no snapshot of step 15\. It .*diverged at step .* Steps with a snapshot: 0\."),
        (TOY, None, r"plays bilinear, a game without networks\. Methods with networks: digits-dcgan"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_what_can(study, plan, run, step, message):
    with pytest.raises(GanbenchError, match=message):
        export.generator(study, run, step)


def test_a_diverged_run_has_the_networks_of_before(study, plan):
    assert export.generator(study, DIVERGED, step=0)(torch.zeros(3, 16)).shape == (3, 2)


def test_a_run_that_is_not_trained_is_named_with_the_command_that_trains_it(study, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(json.dumps(json.loads(study.read_text()) | {"results": str(tmp_path)}))
    with pytest.raises(GanbenchError, match=rf"run {RUN} is not trained.*ganbench train .*other\.yaml --only {RUN}"):
        export.generator(other, RUN)


def test_a_folder_without_an_export_is_refused(tmp_path):
    with pytest.raises(GanbenchError, match=r"holds no export of this version: model\.json"):
        export.load(tmp_path)
