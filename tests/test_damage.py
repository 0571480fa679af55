"""Files of a study with bytes flipped: what is damaged is told by name, or it was harmless, and no number changes."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from stored import flat, tree_of

from ganbench.analysis.collected import Collected
from ganbench.core.errors import GanbenchError
from ganbench.core.study import parse
from ganbench.stages import STAMPS, folder, run
from ganbench.stages.plan import Plan

STAGES = ("prepare", "judge", "train", "evaluate", "diagnose", "collect", "tables", "figures", "report")
PER_KIND = 6  # flips of each kind of file; `make soak` takes more

GRID = {"dataset": "ring8", "architecture": {"name": "mlp", "width": 4}, "learning_rate": 1e-3, "seed": [0, 1]}
STUDY = {
    "study": "small",
    "grid": [GRID],
    "train": {"steps": 4, "batch_size": 16, "snapshots": {"count": 2}},
    "evaluate": {"samples": 100, "shown": 4},
    "diagnose": ["path"],
}
# By kind: where one lies, and what of it is looked at.
KINDS = {
    **{stage: f"{stage}/*.h5" for stage in ("prepare", "judge", "train", "evaluate", "diagnose")},
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


def plan(place: Path) -> Plan:
    return Plan(parse(STUDY | {"results": str(place)}, origin="study"))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of results of a small study that is done. Not to be changed."""
    place = tmp_path_factory.mktemp("whole")
    made = plan(place)
    folder.usable(made)
    for stage in STAGES:
        for job in made.jobs(stage).values():
            run(stage, job.slice, job.path)
    return place


def look(found: Plan) -> dict[str, bytes]:
    """All that a study's files hold, as the program reads them.

    Raises:
        GanbenchError: some of them are damaged.
    """
    folder.sound(found)
    read = {f"{job.stage}/{name}": tree_of(job.path) for stage in STAGES[:5] for name, job in found.jobs(stage).items()}
    there = found.collect.path.parent
    read |= {"samples": tree_of(there / "samples.h5", "samples"), "arrays": tree_of(there / "arrays.h5", "arrays")}
    numbers = {
        name: value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
        for name, value in flat(read).items()
    }
    collected = Collected.read(there)
    tables = {name: repr(getattr(collected, name).to_dict()).encode() for name in ("runs", "curves", "measurements")}
    pages = {path.name: path.read_bytes() for job in (found.tables, found.report) for path in job.outputs[1:]}
    return numbers | tables | pages | {"metrics": repr(collected.metrics).encode()}


@pytest.fixture(scope="session")
def expected(whole: Path) -> dict[str, bytes]:
    return look(plan(whole))


def flipped(content: bytes, draw: random.Random) -> bytes:
    """One to 64 bytes at one place are others, or zeros as where a block was never written."""
    start, count = draw.randrange(len(content)), draw.choice([1, 1, 8, 64])
    part = content[start : start + count]
    other = bytes(len(part)) if draw.random() < 0.25 else bytes(byte ^ draw.randrange(1, 256) for byte in part)
    return content[:start] + other + content[start + count :]


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes_are_noticed_or_harmless(
    kind: str, whole: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    flip(kind, whole, expected, tmp_path, PER_KIND)


def flip(kind: str, whole: Path, expected: dict[str, bytes], place: Path, times: int) -> int:
    """Damage a kind of file so often, in a copy of the study.

    Returns:
        how often it was told.
    """
    shutil.copytree(whole, place, dirs_exist_ok=True)
    found, draw, told = plan(place), random.Random(kind), 0
    path = next((place / "small").glob(KINDS[kind]))
    content = path.read_bytes()
    for number in range(times):
        path.write_bytes(flipped(content, draw))
        try:
            assert look(found) == expected, f"flip {number} of {path.name} changed a number in silence"
        except GanbenchError as error:
            assert path.name in str(error) or kind == "mark"
            told += 1
    return told
