"""Precisions and places of examples in a study, from its file to its tables."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from faces import write_images
from own_data import study, write_bars

from ganbench.core import result_files, source_digests
from ganbench.core.errors import GanbenchError
from ganbench.pipeline.execution import instantiation, memory, result_cache
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.sizes import needed
from ganbench.pipeline.preflight.trial import try_study
from ganbench.pipeline.stages import report, run
from ganbench.study.schema import parse


def plan(content) -> Plan:
    return Plan(parse(content, origin="study.yaml"))


def work(found: Plan, *stages: str) -> None:
    for stage in stages:
        for job in found.jobs(stage).values():
            run(job)


def networks(found: Plan) -> list[np.ndarray]:
    """Both players' snapshots of every run."""
    kept = []
    for job in found.train.values():
        with result_files.open_file(job.path, "train") as file:
            for member in result_cache.members_of(file):
                tree = result_files.read_tree(result_cache.group_of(file, member.digest))
                kept += [tree["snapshots"]["discriminator"], tree["snapshots"]["generator"]]
    return kept


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.slow
def test_a_study_has_the_same_numbers_with_bytes_numbers_and_a_file_too_large_for_memory(tmp_path, monkeypatch, labels):
    path, found, scores = write_bars(tmp_path), {}, {}
    for name, stored, held in (("bytes", True, 2**30), ("numbers", False, 2**30), ("file", True, 100)):
        monkeypatch.setattr(memory, "MAX_HELD", held)
        folder = tmp_path / name
        found[name] = plan(study(path, folder, stored=stored, labels=labels))
        work(found[name], "prepare", "judge", "reference", "train", "evaluate", "collect")
        prepared = next(iter(found[name].prepare.values())).path
        assert isinstance(instantiation.examples(prepared).train, np.memmap) == (name == "file")
        assert instantiation.examples(prepared).train.dtype == (np.uint8 if stored else np.float32)
        scores[name] = pd.read_parquet(found[name].collect.path.parent / "snapshots.parquet")
    for name in ("numbers", "file"):
        for ours, theirs in zip(networks(found[name]), networks(found["bytes"]), strict=True):
            assert np.array_equal(ours, theirs)
        assert np.array_equal(scores[name]["fd"], scores["bytes"]["fd"])


def test_the_memory_that_is_counted_is_that_of_bytes_in_memory(tmp_path, monkeypatch):
    path = write_bars(tmp_path)

    def counted(**options) -> int:
        content = parse(study(path, tmp_path, **options), origin="study.yaml")
        return needed(content, Plan(content).grid.runs[0])["the 96 training examples"]

    assert (counted(stored=True), counted(stored=False)) == (96 * 64, 4 * 96 * 64)
    monkeypatch.setattr(memory, "MAX_HELD", 100)
    assert counted(stored=True) == 0


@pytest.mark.cluster
def test_a_folder_of_images_is_a_study_and_trains_anew_when_an_image_changes(tmp_path):
    folder = write_images(tmp_path / "images", 60)
    content = study("image_folder", tmp_path, folder=str(folder), image_size=8)
    content["grid"][0]["dataset"]["label"] = "faces"
    before = plan(content)
    work(before, "prepare", "judge", "reference", "train", "evaluate", "collect")
    snapshots = pd.read_parquet(before.collect.path.parent / "snapshots.parquet")
    assert np.isfinite(snapshots["fd"]).all()
    tables = {name: pd.read_parquet(before.collect.path.parent / f"{name}.parquet") for name in ("runs", "references")}
    assert set(tables["references"]["dataset"]) == set(tables["runs"]["dataset"])  # by its label and its signature
    assert tables["runs"]["judged_on"].notna().all()
    files = sorted(folder.iterdir())
    files[0].write_bytes(files[1].read_bytes())
    source_digests.file_digest.cache_clear()
    after = plan(content)
    assert {job.digest for job in before.train.values()}.isdisjoint(job.digest for job in after.train.values())


@pytest.mark.slow
def test_bfloat16_is_tried_trained_and_recorded(tmp_path):
    content = study(write_bars(tmp_path), tmp_path)
    content["train"]["precision"] = "bfloat16"
    found = plan(content)
    try_study(found)
    work(found, "prepare", "judge", "reference", "train", "evaluate", "collect")
    runs = pd.read_parquet(found.collect.path.parent / "runs.parquet")
    assert set(runs["train_precision"]) == {"bfloat16"}
    assert set(runs["tf32"]) == {""}
    assert all(values.dtype == np.float32 for values in networks(found))


def test_tf32_is_refused_on_a_cpu_before_work_and_at_work(tmp_path):
    content = study(write_bars(tmp_path), tmp_path) | {"machine": {"device": "cpu"}}
    content["train"]["precision"] = "tf32"
    found = plan(content)
    with pytest.raises(GanbenchError, match=r"train\.precision: 'tf32' needs an NVIDIA GPU"):
        try_study(found)
    work(found, "prepare")
    with pytest.raises(GanbenchError, match=r"train\.precision: 'tf32' needs an NVIDIA GPU"):
        work(found, "train")


MIXING = '''"""R1 where examples may mix."""

from dataclasses import dataclass
from typing import ClassVar

from ganbench.regularizers.r1 import R1


@dataclass(frozen=True)
class Mixing(R1):
    per_example: ClassVar[bool] = False
'''


def test_a_report_names_own_components_by_file_and_checksum(tmp_path, monkeypatch):
    content = study(write_bars(tmp_path), tmp_path)
    monkeypatch.chdir(tmp_path)
    (data,) = report._own_components(plan(content))
    assert data.startswith("dataset bars.py (SHA-256 ")
    (tmp_path / "mixing.py").write_text(MIXING)
    content["grid"][0]["regularizer"] = ["none", "r1(gamma=1) + ./mixing.py", {"name": "./mixing.py", "gamma": 2}]
    digest = hashlib.sha256(MIXING.encode()).hexdigest()[:16]
    assert report._own_components(plan(content)) == [data, f"regularizer mixing.py (SHA-256 {digest})"]


def test_a_derivative_that_pytorch_lacks_is_told_in_a_sentence(tmp_path):
    content = study(write_bars(tmp_path), tmp_path)
    content["train"]["precision"] = "bfloat16"
    (tmp_path / "mixing.py").write_text(MIXING)
    content["grid"][0] |= {"dynamics": "consensus", "regularizer": str(tmp_path / "mixing.py")}
    with pytest.raises(GanbenchError, match=r"the game lacks the second derivative .*: batch_norm does not support"):
        try_study(plan(content))
