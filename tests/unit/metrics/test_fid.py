"""The FID through the real path: a weight file of the real format, checked, loaded by pytorch-fid, and used by a study.

The published weights cannot be had everywhere, so the file holds random ones; that changes the features, not the path.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from building import part
from study_example import changed

from ganbench.analysis.collected import Collected
from ganbench.analysis.run_options import options_of
from ganbench.contracts import trials
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec, Examples
from ganbench.judges import JudgedExamples, judge_stored
from ganbench.judges import inception as inception_network
from ganbench.metrics import fid
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning.grid import WEIGHTS
from ganbench.pipeline.preflight.check import check
from ganbench.pipeline.resources.dataset_costs import DatasetCosts
from ganbench.pipeline.results_folder import prepare as folder_usable
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder of weights, laid out as the rule `weights` leaves it."""
    place = tmp_path_factory.mktemp("weights")
    path = place / "hub" / "checkpoints" / WEIGHTS
    path.parent.mkdir(parents=True)
    from pytorch_fid.inception import fid_inception_v3  # here: with torchvision it imports PyTorch's compiler

    with pytest.MonkeyPatch.context() as patch:
        # pytorch-fid builds its network and fetches its weights in one function; here it only builds.
        patch.setattr("pytorch_fid.inception.load_state_dict_from_url", lambda *_, **__: None)
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: None)
        torch.manual_seed(0)
        network = fid_inception_v3()
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d):  # its own initial weights let the features vanish: 1e-8
                torch.nn.init.kaiming_normal_(layer.weight)
    torch.save(network.state_dict(), path)
    return place


@pytest.fixture
def inception(folder, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(folder))
    inception_network.pretrained.cache_clear()
    yield
    inception_network.pretrained.cache_clear()


def look(images: np.ndarray) -> JudgedExamples:
    n = len(images)
    return JudgedExamples(images, np.zeros((n, 1)), np.zeros(n, int), np.ones(n, bool), 1)


@pytest.mark.cluster
def test_features_are_pytorch_fids_own(inception):
    images = np.random.default_rng(0).uniform(-1, 1, size=(3, 1, 8, 8)).astype(np.float32)
    from pytorch_fid.inception import InceptionV3

    network = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(images + 1).div(2).repeat(1, 3, 1, 1))[0][:, :, 0, 0].numpy()
    assert expected.std() > 1e-3, "features to compare"
    found = inception_network.features(images)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).mean())


@pytest.mark.slow
def test_fid_of_the_same_images_is_zero_and_of_others_is_not(inception):
    random = np.random.default_rng(0)
    images, others = random.uniform(-1, 1, size=(2, 16, 3, 8, 8)).astype(np.float32)
    metric = fid.FID()
    reference = metric.reference(*[look(images)] * 2)
    same, other = (metric.score(look(x), reference)["fid"] for x in (images, others**3))
    assert same == pytest.approx(0, abs=1e-6 * np.square(reference["factor"]).sum() + 1e-9)
    assert other > 10 * abs(same)


@pytest.mark.cluster
def test_the_judge_s_features_are_those_of_the_fid_standardised_and_computed_once(inception, monkeypatch):
    random = np.random.default_rng(0)
    train, others = random.uniform(-1, 1, size=(2, 4, 1, 8, 8)).astype(np.float32)
    judge = part("judge", "inception")
    state = judge.fit(Examples(train, None, others, None))
    judged = judge_stored(judge, state, train)
    plain = inception_network.features(train)
    spread = plain.astype(float).std(axis=0)
    expected = (plain - plain.astype(float).mean(axis=0)) / np.where(spread > 0, spread, 1)
    np.testing.assert_allclose(judged.features, expected, atol=1e-4)
    monkeypatch.setattr(inception_network, "features", pytest.fail)
    np.testing.assert_array_equal(judged.embedded(inception_network.NAME, inception_network.features), plain)
    np.testing.assert_array_equal(
        judged.take(np.array([2])).embedded(inception_network.NAME, inception_network.features), plain[[2]]
    )


def test_the_judge_refuses_images_that_inception_cannot_be_shown():
    two = np.zeros((4, 2, 8, 8), np.float32)
    with pytest.raises(
        GanbenchError, match=r"inception judges grey or colour .* and these have 2 channels. Set another"
    ):
        part("judge", "inception").fit(Examples(two, None, two, None))


def test_fid_is_of_images_that_inception_can_be_shown():
    assert fid.FID.columns["fid"].lower == 0, "the distance of equal images"
    for shape, bounded, fits in (
        ((1, 8, 8), True, True),
        ((3, 32, 32), True, True),
        ((2, 8, 8), True, False),
        ((3, 32, 32), False, False),
        ((2,), True, False),
    ):
        reason = fid.FID().unsupported(DataSpec(shape=shape, bounded=bounded, train=64, modes=2))
        assert reason is None if fits else "grey or colour images with values in [-1, 1]" in reason


def test_missing_weights_name_the_rule_that_fetches_them(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    inception_network.pretrained.cache_clear()
    with pytest.raises(GanbenchError, match=r"the Inception weights are not at .*; the rule 'weights' fetches them"):
        inception_network.features(np.zeros((1, 1, 8, 8), np.float32))


OWN = """\
from dataclasses import dataclass

from ganbench.metrics.fid import FID


@dataclass(frozen=True)
class Own(FID):
    pass
"""


def planned(sha256: str, **evaluate) -> Plan:
    study = changed("evaluate", {"inception": {"sha256": sha256}, **evaluate})
    study["grid"] = study["grid"][:1]  # images
    return Plan(parse(study, origin="study"))


@pytest.mark.parametrize("used", ["own metric", "judge"])
def test_whatever_needs_the_weights_has_them_by_its_declaration(tmp_path, used):
    """A metric of one's own that derives from the FID as the FID, and a judge: they are fetched, they count in digests,
    the table of runs has their checksum, and the estimate has Inception's time and memory."""
    (tmp_path / "own.py").write_text(OWN)
    evaluate = {"metrics": [str(tmp_path / "own.py")]} if used == "own metric" else {"judge": "inception"}
    one, other = planned("a" * 8, **evaluate), planned("b" * 8, **evaluate)
    weights = one.grid.inception.path
    assert weights.name == WEIGHTS
    assert all(weights in job.inputs for job in (*one.reference.values(), *one.evaluate.values()))
    assert not set(one.digests.evaluate.values()) & set(other.digests.evaluate.values())
    settings = options_of(one.grid.runs[0], one.study.evaluate, one.study.outcome)
    assert settings["evaluate_inception_sha256"] == "a" * 8
    (digits,) = one.grid.datasets.values()
    assert DatasetCosts(one, digits).inception


def test_a_study_without_the_network_has_no_weights():
    plan = planned("a" * 8)
    assert plan.grid.inception is None
    assert "evaluate_inception_sha256" not in options_of(plan.grid.runs[0], plan.study.evaluate, plan.study.outcome)
    (digits,) = plan.grid.datasets.values()
    assert not DatasetCosts(plan, digits).inception


def test_the_trial_of_a_metric_that_needs_weights_leaves_its_scores_open(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    results = list(trials.trial(trials.read(tmp_path / "own.py")))
    assert not [each for each in results if each.held is False]
    assert {each.said for each in results if each.held is None} >= {"it needs weights that a study fetches"}


FEW_DIGITS = '''"""Forty zeros and ones."""
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.data import Dataset, DataSpec, Examples, digits


@dataclass(frozen=True)
class Own(Dataset):
    judge: ClassVar[str] = "classifier"
    spec: ClassVar[DataSpec] = DataSpec(shape=(1, 8, 8), bounded=True, train=40, modes=2)

    def load(self):
        every = digits.Digits().load()
        train = np.flatnonzero(every.train_modes < 2)[:40]
        rest = np.flatnonzero(every.heldout_modes < 2)[:40]
        return Examples(every.train[train], every.train_modes[train], every.heldout[rest], every.heldout_modes[rest])
'''


@pytest.mark.slow
def test_a_study_with_fid_scores_its_snapshots_with_these_weights(folder, tmp_path, inception):
    weights = folder / "hub" / "checkpoints" / WEIGHTS
    (tmp_path / "few.py").write_text(FEW_DIGITS)
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    evaluate = {
        "metrics": ["fid", "fd"],
        "judge": "inception",
        "samples": 16,
        "samples_kept": 2,
        "inception": {"folder": str(folder), "sha256": sha256},
    }
    grid = {"dataset": str(tmp_path / "few.py"), "architecture": "fc", "learning_rate": 1e-3, "seed": 0}
    study = {"study": "fid", "results": str(tmp_path), "grid": [grid], "train": {"steps": 2, "snapshots": {"count": 2}}}
    plan = Plan(parse(study | {"evaluate": evaluate}, origin="study"))
    assert plan.grid.inception.path == weights
    assert all(weights in job.inputs for job in plan.evaluate.values())
    assert not any(weights in job.inputs for job in plan.train.values()), "FID concerns no training"
    assert all(weights in job.inputs for stage in ("judge", "reference") for job in plan.jobs(stage).values())

    folder_usable(plan)
    check(plan)
    for stage in ("prepare", "judge", "reference", "train", "evaluate", "collect"):
        for job in plan.jobs(stage).values():
            run(job)
    found = Collected.read(plan.collect.path.parent)
    assert np.isfinite(found.snapshots["fid"]).all()
    assert (found.snapshots["fid"] > 0).all()
    assert np.isfinite(found.snapshots["fd"]).all()
    nulls = found.nulls.set_index("metric")
    assert nulls.loc["fid", "mean"] == found.references.set_index("quantity").loc["fid", "value"] > 0
    assert (nulls.loc["fid", "draws"], nulls.loc["fd", "draws"]) == (5, 20)
    assert nulls.loc["fd", "caution"].startswith("16 samples are too few for 2,048 features")

    damaged = Plan(
        parse(study | {"evaluate": evaluate | {"inception": {"folder": str(folder), "sha256": "0" * 8}}}, origin="s")
    )
    with pytest.raises(GanbenchError, match="not 00000000"):
        check(damaged)
