"""Studies at the scales `real` and `full`: they say what they cost, and train on data of their formats."""

from __future__ import annotations

from pathlib import Path

import archives as made
import numpy as np
import pytest
import yaml
from faces import write_images
from repository import ROOT
from stored import tree_of

from ganbench.core import dataset_specs
from ganbench.data import _mnist, fashion_mnist, lsun, mnist
from ganbench.pipeline import results_folder
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run
from ganbench.study.schema import load, parse

STUDIES = [path for scale in ("real", "full") for path in sorted((ROOT / f"config/studies/{scale}").glob("*.yaml"))]
STEPS = 10
ROSES_AND_TULIPS = (512, 639)  # photographs: claims name how many are left of them when a tenth is held out
# Widths with which ten steps of every network take a second or two; what else the networks are is the study's own.
NARROW = {
    "dcgan": {"base_channels": 2, "latent_size": 8},
    "unpool": {"base_channels": 8},
    "fc": {"hidden_sizes": [8, 16, 24]},
}
FOLDERS = {
    "data/mnist-pngs/train": {"classes": 10, "side": 28, "channels": 1},
    "data/flower-photos/dataset/train": {"classes": 5, "side": 160},
    "data/roses-and-tulips": {"classes": 2, "side": 140},
    "data/landscapes": {"side": 530},
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A few images where studies look for them, in the formats of the real ones."""
    monkeypatch.chdir(tmp_path)
    for folder, how in FOLDERS.items():
        write_images(tmp_path / folder, 40, **how)
    for name, module, listed in (("mnist", mnist, "MNIST_FILES"), ("fashion_mnist", fashion_mnist, "FILES")):
        made.write_mnist(tmp_path / "data" / name, train=60)
        known = [(file, made.md5(tmp_path / "data" / name / file)) for file, _ in getattr(module, listed)]
        monkeypatch.setattr(module, listed, tuple(known))
    for module in (mnist, fashion_mnist, _mnist):
        monkeypatch.setattr(module, "SIZES", {"train": 60, "heldout": 20})
    made.write_lsun(tmp_path / "data/lsun", train=30)
    known = [(file, made.sha256(tmp_path / "data/lsun" / file)) for file, _ in lsun.FILES]
    monkeypatch.setattr(lsun, "FILES", tuple(known))
    monkeypatch.setattr(lsun, "SIZES", {"train": 30, "val": 3})
    dataset_specs._describe_cached.cache_clear()
    yield tmp_path
    dataset_specs._describe_cached.cache_clear()


def shrunk(path: Path, place: Path) -> Plan:
    """A study of one seed a block, ten steps of four examples, narrow networks, no more examples than there are."""
    raw = yaml.safe_load(path.read_text()) | {"results": str(place)}
    raw = {key: value for key, value in raw.items() if key not in ("claims", "diagnose")}
    for index, block in enumerate(raw["grid"]):
        block |= {"seed": index, "train": {}}  # blocks that differ in numbers of steps alone stay apart
        if "architecture" not in block:  # a game of a few numbers
            continue
        listed = block["architecture"] if isinstance(block["architecture"], list) else [block["architecture"]]
        block["architecture"] = [each | NARROW[each["name"]] for each in listed]
        block |= {"n_train": 20} if "n_train" in block else {}
    few = {"steps": STEPS, "batch_size": 4, "curve_bins": 5, "snapshots": {"count": 2}}
    raw["train"] = {key: value for key, value in raw.get("train", {}).items() if key != "epochs"} | few
    return Plan(parse(raw, origin=path.name))


@pytest.mark.cluster
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_ten_steps_of_every_method_move_both_players_to_finite_points(path, files):
    plan = shrunk(path, files / "results")
    results_folder.prepare(plan)
    for stage in ("prepare", "train"):
        for job in plan.jobs(stage).values():
            run(job)
    trained = [found for job in plan.jobs("train").values() for found in tree_of(job.path)["runs"].values()]
    assert len(trained) == len(plan.grid.runs)
    for found in trained:
        for start, *_, end in found["snapshots"].values():
            assert np.isfinite(end).all()
            assert not np.array_equal(start, end)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_study_says_its_cost_and_has_claims_of_its_scale(path, tmp_path, monkeypatch):
    head = path.read_text().partition("\nstudy:")[0]
    assert "core-hours" in head or ("Cost" in head and "GPU" in head), "how long it takes, and on what"
    monkeypatch.chdir(tmp_path)
    for folder, how in FOLDERS.items():  # images are counted by their names
        classes = how.get("classes", 1)
        counts = ROSES_AND_TULIPS if folder == "data/roses-and-tulips" else [1400 // classes] * classes
        for label, count in enumerate(counts):
            (tmp_path / folder / str(label)).mkdir(parents=True)
            for index in range(count):
                (tmp_path / folder / str(label) / f"{index}.jpg").touch()
    study = load(path)
    Plan(study)  # refuses selectors without runs, and shares that so few runs cannot decide
    scales = {claim.id: claim.scale for claim in study.claims}
    # The listed networks in 500 steps on MNIST are what D2 speaks of; D6 and D7 speak of Fashion-MNIST.
    others = {"D2": "full", "D2a": "full", "D6": "small", "D6a": "small", "D7a": "small"}
    real = {name: others.get(name, "real") if path.stem == "fully-connected" else "real" for name in scales}
    assert scales == (dict.fromkeys(scales, "full") if path.parent.name == "full" else real)
