"""Files of a study with bytes flipped: what is damaged is told by name, or it was harmless, and no number changes."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from stored import flat, tree_of

from ganbench.analysis.collected import Collected
from ganbench.core.errors import GanbenchError
from ganbench.core.tree import Tree
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import inception_weights
from ganbench.pipeline.execution.checkpoints import Checkpoint
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stage_names import STAMPS
from ganbench.pipeline.stages import run
from ganbench.pipeline.stages.evaluate import scorer_of
from ganbench.pipeline.tasks import InceptionWeights, PackMember
from ganbench.study.schema import parse

FLIPS = int(os.environ.get("GANBENCH_FLIPS", "60"))  # in all; `make soak` asks for more
STAGES = ("prepare", "judge", "reference", "train", "evaluate", "diagnose", "collect", "tables", "figures", "report")

GRID = {"dataset": "ring8", "architecture": {"name": "mlp", "width": 4}, "learning_rate": 1e-3, "seed": [0, 1]}
STUDY = {
    "study": "small",
    "grid": [GRID],
    "train": {"steps": 4, "batch_size": 16, "snapshots": {"count": 2}},
    "evaluate": {"samples": 100, "samples_kept": 4},
    "diagnose": ["path"],
}
KINDS = {
    **{stage: f"{stage}/*.h5" for stage in ("prepare", "judge", "reference", "train", "evaluate", "diagnose")},
    "samples": "collect/*/samples.h5",
    "arrays": "collect/*/arrays.h5",
    "collected table": "collect/*/runs.parquet",
    "collected note": "collect/*/metrics.json",
    "checksums": "collect/*/SHA256SUMS",
    "table": "tables/runs.csv",
    "figure": "figures/outcomes.png",
    "report": "report.html",
    "stamp": f"{STAMPS}/tables-*",
    "mark": ".ganbench.json",
}
PLACES = (
    *("tables/settings.csv", "tables/runs.parquet", "figures/outcomes.svg", "report.html"),
    *("collect/*/curves.parquet", "collect/*/samples.h5", "collect/*/metrics.json"),
)


def plan(place: Path) -> Plan:
    return Plan(parse(STUDY | {"results": str(place)}, origin="study"))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of results of a small study that is done. Not to be changed."""
    place = tmp_path_factory.mktemp("whole")
    made = plan(place)
    results_folder.prepare(made)
    for stage in STAGES:
        for job in made.jobs(stage).values():
            run(job)
    return place


@pytest.fixture
def copy(whole, tmp_path) -> Plan:
    """The study, with files of its own."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return plan(tmp_path)


def look(found: Plan) -> dict[str, bytes]:
    """All that a study's files hold, as the program reads them.

    Raises:
        GanbenchError: some of them are damaged.
    """
    results_folder.verify(found)
    read = {f"{job.stage}/{name}": tree_of(job.path) for stage in STAGES[:5] for name, job in found.jobs(stage).items()}
    there = found.collect.path.parent
    read |= {"samples": tree_of(there / "samples.h5", "samples"), "arrays": tree_of(there / "arrays.h5", "arrays")}
    collected = Collected.read(there)
    tables = {name: getattr(collected, name).to_dict("list") for name in ("runs", "curves")}
    pages = {path.name: path.read_bytes() for stage in STAGES[6:] for path in found.jobs(stage)[stage].outputs[1:]}
    return bits(read | {"tables": tables, "metrics": collected.metrics}) | pages


def bits(tree: Tree) -> dict[str, bytes]:
    """Every value of a tree, so that NaN is NaN."""
    return {
        place: value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
        for place, value in flat(tree).items()
    }


@pytest.fixture(scope="session")
def expected(whole: Path) -> dict[str, bytes]:
    return look(plan(whole))


def flipped(content: bytes, draw: random.Random) -> bytes:
    """One to 64 bytes at one place are others, or zeros as where a block was never written."""
    start, count = draw.randrange(len(content)), draw.choice([1, 1, 8, 64])
    part = content[start : start + count]
    other = bytes(len(part)) if draw.random() < 0.25 else bytes(byte ^ draw.randrange(1, 256) for byte in part)
    return content[:start] + other + content[start + count :]


def test_an_untouched_copy_reads_as_the_study_does(copy, expected):
    assert look(copy) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes_are_noticed_or_harmless(kind, copy, expected):
    path, draw = next(copy.folder.glob(KINDS[kind])), random.Random(kind)
    content = path.read_bytes()
    for number in range(max(1, FLIPS // len(KINDS))):
        path.write_bytes(flipped(content, draw))
        with suppress(GanbenchError):
            assert look(copy) == expected, f"flip {number} of {path.name} changed a number in silence"


def test_flipped_bytes_of_a_checkpoint_leave_it_or_none(tmp_path):
    checkpoint = Checkpoint(tmp_path, [PackMember(0, None, 0.1, "r", "d", "m", None, 0)], torch.device("cpu"))
    checkpoint.save(state={"step": 3, "x": np.arange(3000.0)}, seconds=1.0)
    content, saved, draw = checkpoint.path.read_bytes(), bits(checkpoint.read()), random.Random(0)
    left = set()
    for _ in range(FLIPS):
        checkpoint.path.write_bytes(flipped(content, draw))
        read = bits(checkpoint.read())
        assert read in ({}, saved)
        left.add(bool(read))
    assert False in left


def zeros(content: bytes) -> bytes:
    return bytes(len(content))


def one_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [zeros, one_bit])
@pytest.mark.parametrize("place", PLACES)
def test_damaged_tables_figures_and_reports_are_told_at_the_next_start(place, damage, copy):
    (path,) = copy.folder.glob(place)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(GanbenchError, match=rf"{path.name} is damaged: .* Remove it, and its stage makes it again"):
        results_folder.prepare(copy)
    if "collect" in place and path.suffix != ".h5":
        with pytest.raises(GanbenchError, match=f"{path.name} is damaged"):
            Collected.read(path.parent)
    path.unlink()
    results_folder.prepare(copy)
    (job,) = (job for stage in STAGES for job in copy.jobs(stage).values() if path in job.outputs)
    assert not job.done
    run(job)
    assert job.done
    results_folder.prepare(copy)


def test_checksums_are_as_sha256sum_reads_them(whole):
    found = plan(whole)
    stamp = found.tables.path.relative_to(found.folder)
    for place, listed in ((found.folder, stamp), (found.collect.path.parent, Path("SHA256SUMS"))):
        done = subprocess.run(["sha256sum", "--check", "--strict", listed], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "runs.parquet: OK" in done.stdout


@pytest.mark.parametrize("stage", ["collect", "evaluate", "diagnose"])
def test_networks_of_a_damaged_file_are_not_used(stage, copy):
    """64 bytes of a generator: what reads it says so, whatever part of the array it takes, and writes nothing."""
    (train,) = copy.train.values()
    generator = tree_of(train.path)["runs"][train.task.members[0].digest]["snapshots"]["generator"]
    content = train.path.read_bytes()
    start = content.index(generator[0].tobytes())
    train.path.write_bytes(
        content[:start] + bytes(byte ^ 85 for byte in content[start : start + 64]) + content[start + 64 :]
    )
    (job,) = copy.jobs(stage).values()
    for path in job.outputs:
        path.unlink()
    with pytest.raises(GanbenchError, match=rf"{train.path.name}: .*/generator' holds other values than were written"):
        run(job)
    assert not job.path.exists()


def test_weights_of_the_fid_are_checked_before_they_score(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()[:8]
    inception_weights.verify(path, sha256)
    path.write_bytes(b"wEights")
    with pytest.raises(GanbenchError, match=r"weights\.pth has the SHA-256 .* Put the file"):
        scorer_of(SimpleNamespace(weights=InceptionWeights(path, sha256)))
