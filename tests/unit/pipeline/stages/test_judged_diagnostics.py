"""Diagnostics that judge examples and compare runs: what they are given, what they wait for, and what is collected."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from ganbench import lab
from ganbench.analysis.collected import Collected
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import engine_digest
from ganbench.pipeline import results_folder
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning import pack_jobs
from ganbench.pipeline.preflight.trial import try_study
from ganbench.pipeline.resources.job_costs import memory_mb
from ganbench.pipeline.resources.stored_estimates import Estimate
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse

JUDGED = '''"""The share of examples that the judge is confident of, and how far it is from that of the other seeds."""
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult


@dataclass(frozen=True)
class Judged(Diagnostic):
    needs_judge: ClassVar[bool] = True

    def unsupported(self, game):
        return None if "architecture" in game.families else "it has no generator of examples"

    def columns(self, game):
        return {"share": MetricInfo("Share", "Share.", "high", 0, 1)}

    def compared(self, game):
        return {"apart": MetricInfo("Apart", "Difference.", "none", 0, 1)}

    def measure(self, trajectories):
        seen, runs = trajectories.samples, range(len(trajectories.match.members))
        made = [seen.judged(seen.generated(k, -1, seen.latent_points(k, 20))) for k in runs]
        share = np.array([each.confident.mean() for each in made])
        return DiagnosticResult({"share": share}, {"shares": share[:, None]})

    def compare(self, results):
        shares = np.concatenate([each["shares"] for each in results])
        assert len(shares) >= 2
        return {"apart": np.abs(shares - (shares.sum() - shares) / (len(shares) - 1))}
'''
STUDY = {
    "study": "judged",
    "grid": [{"dataset": "ring8", "architecture": "mlp", "learning_rate": [1.0e-3, 1.0e-2], "seed": [0, 1, 2]}],
    "train": {"steps": 20, "batch_size": 16, "snapshots": {"count": 3}},
    "evaluate": {"samples": 100, "metrics": ["mode_coverage"]},
}


def plan(place: Path, source: str = JUDGED, **sections) -> Plan:
    path = place / "judged.py"
    path.write_text(source)
    experiments = ["path", {"name": "ours", "diagnostic": str(path)}]
    study = STUDY | {"diagnose": experiments, "results": str(place / "results")} | sections
    found = Plan(parse(study, origin="study"))
    results_folder.prepare(found)
    return found


def collected(found: Plan) -> Collected:
    for stage in ("prepare", "judge", "reference", "train", "evaluate", "diagnose", "collect"):
        for job in found.jobs(stage).values():
            if not job.done:
                run(job)
    return Collected.read(found.collect.path.parent)


def values(found: Collected, quantity: str) -> dict[str, float]:
    mine = found.measurements[found.measurements["quantity"] == quantity]
    return dict(zip(mine["run"], mine["value"], strict=True))


def test_runs_of_one_setting_are_compared_whatever_packs_they_are_in_and_a_run_alone_with_none(tmp_path):
    grid = [STUDY["grid"][0] | {"learning_rate": 1.0e-3}, STUDY["grid"][0] | {"learning_rate": 1.0e-2, "seed": 5}]
    study = plan(tmp_path, grid=grid, pack={"axes": ["learning_rate"]})
    assert len(study.grid.packs) == 4
    found = collected(study)
    shares, compared = values(found, "ours.share"), values(found, "ours.apart")
    alike = found.runs[found.runs["learning_rate"] == 1e-3]["run"]
    assert len(shares) == 4
    assert set(compared) == set(alike)
    assert len(alike) == 3
    for name in alike:
        others = np.mean([shares[each] for each in alike if each != name])
        assert compared[name] == pytest.approx(abs(shares[name] - others))
    assert len(set(shares.values())) > 1
    assert found.quantities["ours.apart"].title == "Apart"


def test_another_judge_is_another_observation_of_what_it_judges_alone(tmp_path):
    first = plan(tmp_path)
    second = plan(tmp_path, evaluate=STUDY["evaluate"] | {"judge": {"name": "mixture", "max_sigmas": 2.0}})
    (one,), (other,) = first.diagnose.values(), second.diagnose.values()
    (judge,) = first.judge.values()
    assert judge.path in one.inputs
    assert judge.path not in next(iter(first.train.values())).inputs
    pairs = list(zip(one.task.observations, other.task.observations, strict=True))
    assert {mine.experiment for mine, its in pairs if mine.digest == its.digest} == {"path"}
    assert {mine.experiment for mine, its in pairs if mine.digest != its.digest} == {"ours"}
    config = one.task.experiments["ours"]
    assert config.judge.digest == judge.digest
    refitted = replace(config, judge=replace(config.judge, digest="of other data"))
    again = replace(one.task, experiments=one.task.experiments | {"ours": refitted})
    known = {each.digest for each in one.task.observations}
    changed = {each.experiment: each.digest not in known for each in again.observations}
    assert changed == {"path": False, "ours": True}
    alone = Plan(parse(STUDY | {"diagnose": ["path"], "results": str(tmp_path)}, origin="study"))
    assert not any(judge.stem in str(path) for job in alone.diagnose.values() for path in job.inputs)


def test_other_sources_of_judging_are_other_observations_of_what_is_judged_and_are_verified(tmp_path, monkeypatch):
    small = [STUDY["grid"][0] | {"learning_rate": 1.0e-3, "seed": [0, 1]}]
    now = plan(tmp_path, grid=small)
    for stage in ("prepare", "judge", "train"):
        for job in now.jobs(stage).values():
            run(job)
    edited = {"scoring": "of other sources"}
    monkeypatch.setattr(pack_jobs, "engine_digest", lambda name, used: edited.get(name) or engine_digest(name, used))
    (one,), (other,) = now.diagnose.values(), plan(tmp_path, grid=small).diagnose.values()
    pairs = zip(one.task.observations, other.task.observations, strict=True)
    assert {mine.experiment for mine, its in pairs if mine.digest != its.digest} == {"ours"}
    with pytest.raises(GanbenchError, match="source files were edited after this job was planned"):
        run(other)


def test_a_damaged_judge_is_refused(tmp_path):
    found = plan(tmp_path, grid=[STUDY["grid"][0] | {"learning_rate": 1.0e-3, "seed": [0, 1]}])
    for stage in ("prepare", "judge", "train"):
        for job in found.jobs(stage).values():
            run(job)
    (judge,), (job,) = found.judge.values(), found.diagnose.values()
    with h5py.File(judge.path, "r+") as file:  # its numbers change, their checksum does not
        arrays = []
        file["state"].visititems(lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        array = next(each for each in arrays if each.size and each.dtype.kind == "f")
        array[...] = array[...] + 1
    with pytest.raises(GanbenchError, match=re.escape(str(judge.path))):
        run(job)
    assert not job.path.exists()


def test_a_job_that_judges_has_the_memory_of_judging(tmp_path):
    (job,) = plan(tmp_path).diagnose.values()
    estimate = Estimate("ring8-mlp", 6, (1, 1), 1.0, 0, 0, 1.0, scoring_memory=300 * 2**20)
    of_path = replace(job, task=replace(job.task, experiments={"path": job.task.experiments["path"]}))
    estimates = {"ring8-mlp": estimate}
    assert memory_mb(job, estimates) == pytest.approx(memory_mb(of_path, estimates) + 300)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('{"apart": np.abs(shares', '{"far": np.abs(shares'), "compare.. gives no value for its column 'apart'"),
        (("", ""), None),
        (('{"apart": MetricInfo', '{"share": MetricInfo'), "column 'share', which is one of columns.. too"),
        (("needs_judge: ClassVar[bool] = True", "pass"), "must have the class attribute needs_judge"),
    ],
)
def test_the_trial_holds_comparisons_to_their_contract(tmp_path, change, message):
    found = plan(tmp_path, JUDGED.replace(*change), grid=[STUDY["grid"][0] | {"learning_rate": 1.0e-3}])
    if message is None:
        _, timings = try_study(found)
        assert timings.observation("ours", "ring8-mlp") > 0
        return
    with pytest.raises(GanbenchError, match=message):
        try_study(found)


def test_the_laboratory_has_no_judge(tmp_path):
    path = tmp_path / "judged.py"
    path.write_text(JUDGED)
    game = lab.game("gan", dataset="ring8", architecture="mlp", objective="non_saturating", batch_size=8)
    with pytest.raises(GanbenchError, match="judges examples, which takes a study"):
        lab.play(game, steps=2).measure(str(path))
