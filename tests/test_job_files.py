"""Jobs as files: what a process reads is what was planned, of every stage."""

from __future__ import annotations

import json

import pytest

from ganbench.core.errors import GanbenchError
from ganbench.pipeline import job_files
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.typed_json import decode, encode
from ganbench.study.schema import parse

STUDY = {
    "study": "tiny",
    "grid": [
        {"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3, "seed": [0, 1]},
        {"game": "bilinear", "dynamics": "simultaneous", "optimizer": "sgd", "learning_rate": 0.1, "seed": 0},
    ],
    "evaluate": {"metrics": ["fd", "fid"]},
    "diagnose": ["path", "convolution"],
}


@pytest.fixture
def plan(tmp_path) -> Plan:
    found = Plan(parse(STUDY | {"results": str(tmp_path)}, origin="study"))
    job_files.write(found)
    return found


def test_every_job_is_read_as_it_was_planned(plan):
    jobs = list(plan.all_jobs())
    assert {job.stage for job in jobs} >= {"prepare", "judge", "train", "evaluate", "diagnose", "collect", "report"}
    for job in jobs:
        read, settings = job_files.read(job_files.path_of(plan.folder, job))
        assert settings == plan.execution
        assert (read.stage, read.digest, read.inputs, read.outputs) == (job.stage, job.digest, job.inputs, job.outputs)
        assert type(read.task) is type(job.task)
        assert json.dumps(encode(read)) == json.dumps(encode(job)), f"{job.stage} {job.name} changed on its way"


def test_jobs_say_where_things_are_now(plan, tmp_path):
    """Weights that have moved change no digest, but what a job is told."""
    (job,) = plan.evaluate.values()
    path = job_files.path_of(plan.folder, job)
    before = path.stat().st_mtime_ns
    job_files.write(plan)
    assert path.stat().st_mtime_ns == before, "what is there already is not written again"
    moved = STUDY["evaluate"] | {"inception": {"folder": "elsewhere"}}
    other = Plan(parse(STUDY | {"results": str(tmp_path), "evaluate": moved}, origin="study"))
    job_files.write(other)
    (again,) = other.evaluate.values()
    assert job_files.path_of(other.folder, again) == path
    assert "elsewhere" in str(job_files.read(path)[0].task.weights.path)


def test_a_collecting_job_is_told_of_no_run(plan):
    """A study may have a million of them; their files tell."""
    task = plan.collect.task
    assert [job.name for job in task.of("train")] == list(plan.grid.packs)
    assert {job.task.members for job in task.jobs} == {()}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"job": {}}', '{"job": {"stage": "none"}, "settings": {}}'])
def test_a_job_of_another_version_is_refused(tmp_path, text):
    path = tmp_path / "job.json"
    path.write_text(text)
    with pytest.raises(GanbenchError, match=r"job\.json cannot be read as a job of this version"):
        job_files.read(path)
    with pytest.raises(GanbenchError, match=r"none\.json cannot be read"):
        job_files.read(tmp_path / "none.json")


def test_unknown_fields_are_refused(plan):
    with pytest.raises(ValueError, match=r"other\n +Unexpected keyword argument"):
        decode(type(plan.execution), {"other": 1})
