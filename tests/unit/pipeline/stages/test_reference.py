"""Stage `reference`: what it stores, who reads it, and what a change of it computes again."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ganbench.core.errors import GanbenchError
from ganbench.engine.nulls import Null
from ganbench.engine.scoring import judged_real
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import reference_files
from ganbench.pipeline.execution.instantiation import build, examples
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning import dataset_jobs
from ganbench.pipeline.stages import judge, reference, run
from ganbench.pipeline.stages.evaluate import scorer_of
from ganbench.pipeline.tasks import ComponentConfig, InceptionWeights
from ganbench.study.schema import parse

STUDY = {
    "study": "small",
    "grid": [
        {
            "dataset": {"name": "ring8", "examples": 400},
            "architecture": {"name": "mlp", "width": 4},
            "learning_rate": [1e-3],
            "seed": [0, 1],
        },
        {"game": "bilinear", "learning_rate": [0.1], "seed": 0},
    ],
    "train": {"steps": 4, "batch_size": 16, "snapshots": {"count": 2}},
    "evaluate": {"samples": 50, "samples_kept": 4, "metrics": ["fd", "kd", "wasserstein", "mode_coverage"]},
}


def plan(place: Path, **evaluate) -> Plan:
    content = STUDY | {"results": str(place), "evaluate": STUDY["evaluate"] | evaluate}
    found = Plan(parse(content, origin="study"))
    results_folder.prepare(found)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Plan:
    found = plan(tmp_path_factory.mktemp("made"))
    for stage in ("prepare", "judge", "reference"):
        for job in found.jobs(stage).values():
            run(job)
    return found


def test_it_runs_once_per_data_set_that_networks_train_on(made):
    (job,) = made.reference.values()
    assert job.done
    assert set(job.inputs) == {made.prepare[job.name].path, made.judge[job.name].path}
    (evaluate,) = made.evaluate.values()
    assert job.path in evaluate.inputs
    assert job.path in made.collect.inputs


def test_evaluation_scores_with_the_references_of_the_file(made):
    (evaluate,) = made.evaluate.values()
    scorer = scorer_of(evaluate.task)
    assert [type(metric).__name__ for metric, _ in scorer.metrics] == ["FD", "KD", "ModeCoverage"], "of the plane"
    known = examples(made.prepare[next(iter(made.prepare))].path)
    train, heldout = judged_real(scorer.judge, scorer.state, known)
    plain = {
        name: value
        for metric, _ in scorer.metrics
        for name, value in metric.score(heldout, metric.reference(train, heldout)).items()
    }
    assert scorer.score(known.heldout) == plain


def test_the_file_holds_a_null_of_every_column_and_examples_to_show(made):
    (job,) = made.reference.values()
    kept = reference_files.read(job.path)
    columns = {name for metric in job.task.metrics for name in build("metric", metric).columns} - {"wasserstein"}
    assert kept.nulls.keys() == columns
    assert all(null.samples == 50 and null.low <= null.mean <= null.high for null in kept.nulls.values())
    assert kept.shown.shape == (100, 2)
    np.testing.assert_allclose(kept.mode_shares, 1 / 8, atol=0.05)
    assert kept.about["device"]


def test_nulls_come_back_as_they_were(tmp_path):
    path = tmp_path / "reference.h5"
    nan = math.nan
    nulls = {
        "a": Null(9, None, 5, 0.5, 0.1, 0.3, 0.7, "drawn", 4.0),
        "b": Null(9, 40, 20, nan, nan, nan, nan, "split", nan),
    }
    known = [{"mean": np.arange(3.0), "deeper": {"count": 3}}, {"share": 0.25}]
    reference_files.write(path, known, reference_files.Scored(nulls, np.zeros((2, 1)), {"device": "cpu"}))
    back = reference_files.read(path)
    assert repr(back.nulls) == repr(nulls)
    assert back.mode_shares is None, "of a judge that tells no modes apart"
    one, other = reference_files.read_references(path)
    np.testing.assert_array_equal(one.pop("mean"), known[0]["mean"])
    assert (one, other) == ({"deeper": {"count": 3}}, {"share": 0.25})
    content = path.read_bytes()
    place = content.index(np.arange(3.0).tobytes())
    path.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    with pytest.raises(GanbenchError, match="holds other values than were written"):
        reference_files.read_references(path)


def test_data_without_a_column_of_any_metric_have_a_file_of_no_null(tmp_path):
    path = tmp_path / "reference.h5"
    reference_files.write(path, [], reference_files.Scored({}, np.zeros((2, 1)), {}))
    assert reference_files.read(path).nulls == {}
    assert reference_files.read_references(path) == []


def test_a_change_of_nulls_trains_and_scores_nothing_again(made, tmp_path, monkeypatch):
    real = dataset_jobs.engine_digest
    monkeypatch.setattr(dataset_jobs, "engine_digest", lambda engine, of: engine + real(engine, of))
    changed = plan(tmp_path)
    (before,), (after,) = made.reference.values(), changed.reference.values()
    assert before.digest != after.digest
    assert made.digests.train == changed.digests.train
    assert made.digests.evaluate == changed.digests.evaluate
    assert made.judge[before.name].digest == changed.judge[after.name].digest


@pytest.mark.parametrize(
    "change", [{"samples": 60}, {"metrics": ["fd"]}, {"judge": {"name": "mixture", "max_sigmas": 2}}]
)
def test_a_change_of_what_is_measured_scores_real_examples_anew(made, tmp_path, change):
    changed = plan(tmp_path, **change)
    (before,), (after,) = made.reference.values(), changed.reference.values()
    assert before.digest != after.digest
    assert set(made.digests.evaluate.values()).isdisjoint(changed.digests.evaluate.values())
    assert made.digests.train == changed.digests.train


def test_sources_that_were_edited_meanwhile_are_refused(made, monkeypatch):
    (job,) = made.reference.values()
    monkeypatch.setattr(reference, "build", pytest.fail)
    edited = type(job.task)(**{**vars(job.task), "sources": "other"})
    with pytest.raises(GanbenchError, match="source files were edited"):
        run(type(job)(**{**vars(job), "task": edited}))


@pytest.mark.parametrize(("field", "name"), [("judge", "pixels"), ("dataset", "grid16")])
def test_the_sources_of_the_judge_and_the_data_set_are_verified_too(made, monkeypatch, field, name):
    (job,) = made.reference.values()
    monkeypatch.setattr(reference, "build", pytest.fail)
    other = replace(job.task, **{field: ComponentConfig(name, {})})
    with pytest.raises(GanbenchError, match="source files were edited"):
        run(replace(job, task=other))


@pytest.mark.parametrize("stage", [judge, reference])
def test_a_device_is_held_for_the_inception_network_alone(made, monkeypatch, stage):
    class Held(Exception):
        pass

    def held(wanted):
        raise Held

    (job,) = made.jobs(stage.__name__.rsplit(".", 1)[-1]).values()
    monkeypatch.setattr(stage, "acquire_device", held)
    monkeypatch.setattr(stage.inception_weights, "provide", lambda weights: None)
    run(job)
    weighty = replace(job.task, weights=InceptionWeights(Path("weights.pth"), "6726825d"))
    with pytest.raises(Held):
        run(replace(job, task=weighty))
