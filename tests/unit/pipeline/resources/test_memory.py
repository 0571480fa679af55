"""The memory of packs: predicted before the first step, and what their jobs take."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from ganbench.pipeline.execution import memory
from ganbench.pipeline.execution.memory import resident_growth
from ganbench.pipeline.resources.job_costs import memory_mb
from ganbench.pipeline.resources.stored_estimates import Estimate

MB = 2**20

PREPARED = """
import json, sys
from ganbench.engine.subpacks import release
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution.memory import resident_growth
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.trial import try_study
from ganbench.pipeline.resources.job_costs import memory_mb
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse
import torch

torch.set_num_threads(1)

def plan(study):
    found = Plan(parse(study, origin="study"))
    results_folder.prepare(found)
    return found

def work(job):
    if not job.done:
        run(job)

study = json.loads(sys.argv[1])
found = plan(study)
(train,) = found.jobs("train").values()
"""
PREDICTED = """
estimates = {each.method: each for each in try_study(found)[0]}
print("MB", memory_mb(train, estimates))
"""
TAKEN = """
for job in found.jobs("prepare").values():
    work(job)
# What PyTorch loads at its first step counts as a library.
few = plan(study | {"results": study["results"] + "/few", "grid": [{**study["grid"][0], "seed": [0, 1]}]})
for stage in ("prepare", "train"):
    for job in few.jobs(stage).values():
        work(job)
release(torch.device("cpu"))
print("MB", resident_growth(lambda: run(train)) / 2**20)
"""


def megabytes(code: str, study: dict) -> float:
    """What this code says of a study, in a process of its own, whose memory no other test has used."""
    command = [sys.executable, "-c", PREPARED + code, json.dumps(study)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split("MB")[-1])


PACKS = {
    "fc": {"dataset": "digits", "architecture": "fc", "seed": {"count": 16}},
    "dcgan": {"dataset": "digits", "architecture": {"name": "dcgan", "base_channels": 16}, "seed": {"count": 24}},
    "mlp": {"dataset": "ring8", "architecture": "mlp", "seed": {"count": 64}},
    "fc consensus": {"dataset": "digits", "architecture": "fc", "dynamics": "consensus", "seed": {"count": 8}},
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fuse"), [*((name, "always") for name in PACKS), ("fc", "never")])
def test_the_memory_of_a_pack_is_predicted_before_its_first_step(tmp_path, name, fuse):
    study = {
        "study": "memory",
        "results": str(tmp_path),
        "grid": [PACKS[name] | {"learning_rate": 1e-4}],
        "train": {"steps": 60, "batch_size": 32, "precision": "float32", "snapshots": {"count": 5}},
        "pack": {"fuse": fuse, "seeds_per_pack": 64},
        "machine": {"device": "cpu"},
    }
    predicted, taken = megabytes(PREDICTED, study), megabytes(TAKEN, study)
    print(f"{name}, fuse {fuse}: {predicted:.0f} MB predicted, {taken:.0f} MB taken")
    # A few megabytes are a matter of what allocators keep.
    assert abs(predicted - taken) <= max(0.2 * taken, 50), f"{predicted:.0f} MB predicted, {taken:.0f} MB taken"


@pytest.mark.skipif(not memory.RESET.exists(), reason="only Linux forgets the most that a process has held")
def test_what_a_process_holds_at_most_is_measured():
    assert 180 * MB < resident_growth(lambda: np.ones(200 * MB, np.uint8).sum()) < 260 * MB
    assert resident_growth(lambda: None) < 20 * MB, "the peak of before is forgotten"


def test_where_the_system_does_not_tell_work_is_done_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "RESET", tmp_path / "none" / "clear_refs")
    done = []
    assert resident_growth(lambda: done.append(1)) is None
    assert done == [1]


class Pack:
    """A job of runs of two methods."""

    stage = "train"

    def __init__(self, *methods: str) -> None:
        self.task = type("Task", (), {"members": [type("Run", (), {"method": each}) for each in methods]})


def test_a_pack_holds_what_each_run_keeps_and_the_largest_of_those_that_train_in_turns():
    estimate = Estimate("a", 1, (1, 1), 0.0, 0, memory=3 * MB, scoring=0.0, scoring_memory=0, examples=5 * MB)
    other = Estimate("b", 1, (1, 1), 0.0, 0, memory=MB, scoring=0.0, scoring_memory=0, examples=5 * MB, turns=7 * MB)
    assert memory_mb(Pack("a", "a", "b"), {"a": estimate, "b": other}) == 3 + 3 + 1 + 5 + 7
    assert memory_mb(Pack("a", "a"), {"a": estimate}) == 3 + 3 + 5
