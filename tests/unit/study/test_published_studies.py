"""Published protocols as studies: each trains as it says, on data in the format of the published files."""

from __future__ import annotations

from pathlib import Path

import archives as made
import numpy as np
import pytest
import yaml
from repository import ROOT
from stored import tree_of

from ganbench.core import dataset_specs
from ganbench.data import _mnist, cifar10, fashion_mnist, mnist, stacked_mnist
from ganbench.pipeline import results_folder
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.trial import try_study
from ganbench.pipeline.stages import run
from ganbench.study.schema import load, parse
from ganbench.study.selectors import matches

FOLDER = ROOT / "config/studies/published"
STUDIES = sorted(FOLDER.glob("*.yaml"))
# Fewer steps of networks whose steps take long; 10 of the others.
STEPS = {
    **{"mimicry-cifar10": 1, "r3gan-stacked-mnist": 2, "pacgan-stacked-mnist": 3},
    **{"lucic-mnist": 3, "lucic-fashion": 3},
}
GROUPS = 4  # in a batch, of `packing_degree` examples each
PARTS = ("Source:", "Protocol, as published:", "Published numbers:", "Our differences, line by line:", "Cost:")


@pytest.fixture
def public(tmp_path, monkeypatch):
    """Small files in place of the public ones, where studies look for them, with their own sizes and checksums."""
    monkeypatch.chdir(tmp_path)
    made.write_mnist(tmp_path / "data/mnist", train=60)
    made.write_mnist(tmp_path / "data/fashion_mnist", train=60)
    made.write_cifar10(tmp_path / "data/cifar10")
    for folder, files, modules in (
        ("mnist", "MNIST_FILES", (mnist, stacked_mnist)),
        ("fashion_mnist", "FILES", (fashion_mnist,)),
        ("cifar10", "FILES", (cifar10,)),
    ):
        for module in modules:
            known = [(name, made.md5(tmp_path / "data" / folder / name)) for name, _ in getattr(module, files)]
            monkeypatch.setattr(module, files, tuple(known))
    for module in (mnist, fashion_mnist, _mnist):
        monkeypatch.setattr(module, "SIZES", {"train": 60, "heldout": 20})
    monkeypatch.setattr(cifar10, "SIZES", {"train": 40, "heldout": 8})
    # torchvision verifies what is unpacked, too.
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda path, md5=None: Path(path).is_file())
    dataset_specs._describe_cached.cache_clear()
    yield tmp_path
    dataset_specs._describe_cached.cache_clear()


def shrunk(path, place) -> Plan:
    """A study with one seed, few steps, small batches and few examples of what it can draw; its networks, losses and
    optimizers are the study's own."""
    raw = yaml.safe_load(path.read_text()) | {"results": str(place)}
    raw = {key: value for key, value in raw.items() if key not in ("claims", "diagnose", "published")}
    steps = STEPS.get(path.stem, 10)
    for block in raw["grid"]:
        data, networks = block.get("dataset"), block.get("architecture")
        packing = networks.get("packing_degree", 1) if isinstance(networks, dict) else 1
        block["seed"] = 0
        block["train"] = {"steps": steps, "batch_size": GROUPS * packing}
        if isinstance(data, dict) and "examples" in data:
            data["examples"] = 20_000
    raw["train"] = raw.get("train", {}) | {"snapshots": {"count": 2, "spacing": "even"}}
    raw["train"] = {key: value for key, value in raw["train"].items() if key not in ("steps", "batch_size")}
    return Plan(parse(raw, origin=path.name))


@pytest.mark.cluster
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] if path.stem in STEPS else []) for path in STUDIES],
    ids=lambda path: path.stem,
)
def test_the_first_steps_of_every_protocol_move_both_players_to_finite_points(path, public):
    plan = shrunk(path, public / "results")
    results_folder.prepare(plan)
    trained = 0
    for stage in ("prepare", "train"):
        for job in plan.jobs(stage).values():
            run(job)
    for job in plan.jobs("train").values():
        for found in tree_of(job.path)["runs"].values():
            for start, *_, end in found["snapshots"].values():
                assert np.isfinite(end).all()
                assert not np.array_equal(start, end)
            trained += 1
    assert trained == len(plan.grid.runs)


@pytest.mark.slow
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_can_start(path, public, hurried):
    plan = Plan(load(path).model_copy(update={"results": public / "results"}))
    results_folder.prepare(plan)
    estimates, _ = try_study(plan)  # parts fit each other, and measurements are those that claims and numbers name
    assert sum(estimate.runs for estimate in estimates) == len(plan.grid.runs)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_says_what_was_published_and_what_differs(path):
    head = path.read_text().partition("\nstudy:")[0]
    places = [head.find(f"# {part}") for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)
    assert len(load(path).protocol.splitlines()) >= 3


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_setting_has_as_many_runs_as_can_be_compared(path):
    """Ten, or those of the protocol; a single run where nothing is drawn at random."""
    plan = Plan(load(path))
    runs = {name: sum(run.method == name for run in plan.grid.runs) for name in plan.grid.methods}
    assert all(count >= 10 or path.stem == "dirac" for count in runs.values()), runs


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_published_number_stands_beside_runs_of_one_method(path):
    """A component with an option at its default selects whatever its options are."""
    study = load(path)
    plan = Plan(study)
    for number in study.published:
        methods = {run.method for run in plan.grid.runs if matches(number.where, run.point)}
        assert len(methods) == 1, (number.label, methods)
