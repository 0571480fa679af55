"""What `check` finds before anything starts, and how jobs share the devices of a machine."""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
import torch
from building import CPU, gan, names, part, toy
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ganbench.analysis.outcome_catalogue import catalogue
from ganbench.architectures import initial_module, trial_inputs
from ganbench.contracts.networks import network_fault
from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import MetricInfo
from ganbench.data import DataSpec
from ganbench.engine.fusing import MAX_PARAMETERS, decide, forward_work, parameters
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import devices, inception_weights
from ganbench.pipeline.execution.devices import acquire_device, acquire_free_gpu
from ganbench.pipeline.execution.instantiation import build_game
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.check import _too_few_bins
from ganbench.pipeline.preflight.check import check as check_study
from ganbench.pipeline.preflight.claimed_outcomes import critics, recorded, refuse_unrecorded, unmeasured, unseen
from ganbench.pipeline.preflight.planned_tests import planned_tests, refuse_unconfirmable
from ganbench.pipeline.preflight.trial import try_study as check
from ganbench.pipeline.stages import run
from ganbench.study.choices import parse_choice
from ganbench.study.schema import parse
from ganbench.study.selectors import Selector

pytestmark = pytest.mark.usefixtures("hurried")


def plan(tmp_path, **changes) -> Plan:
    study = {
        "study": "tiny",
        "results": str(tmp_path),
        "grid": [{"dataset": "digits", "architecture": "fc", "learning_rate": 1e-3, "seed": [0, 1]}],
        "train": {"steps": 10},
    }
    return Plan(parse(study | changes, origin="study"))


def test_an_architecture_that_cannot_do_the_data_is_named_with_those_that_can(tmp_path):
    grid = [{"dataset": "ring8", "architecture": "dcgan", "learning_rate": 1e-3, "seed": 0}]
    message = r"'dcgan' cannot be used with data set 'ring8'.*shape \(2,\).*square images.*Architectures that can: mlp"
    with pytest.raises(GanbenchError, match=message):
        check(plan(tmp_path, grid=grid))


def test_a_metric_that_fits_no_data_set_is_refused(tmp_path):
    grid = [{"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3, "seed": 0}]
    with pytest.raises(GanbenchError, match=r"fid supports no data set of the study \(ring8: FID is for"):
        check(plan(tmp_path, grid=grid, evaluate={"metrics": ["fid"]}))


def test_runs_too_short_to_be_judged_by_spikes_are_told_before_they_train(tmp_path):
    """A spike stands out of a past of 200 steps and 20 bins, and half of a run must have one."""

    def told(*lengths, **train):
        block = {"dataset": "digits", "architecture": "fc", "learning_rate": 1e-3, "seed": [0, 1]}
        toy = {"game": "bilinear", "learning_rate": 0.1, "seed": 0}
        grid = [{**each, "train": {"steps": steps}} for each in (block, toy) for steps in lengths]
        return list(_too_few_bins(plan(tmp_path, grid=grid, train=train)))

    why = "cannot be judged unstable by spikes of the loss: that takes {} bins of steps (train.curve_bins), and"
    why += " {} are recorded"
    assert told(100, 150, 450) == [f"2 runs of {steps} steps {why.format(400, steps)}" for steps in (100, 150)]
    assert told(600, 900, curve_bins=30) == [f"4 runs of 600 to 900 steps {why.format(40, 30)}"]


class Remembers(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.count = torch.zeros(1)

    def forward(self, x):
        self.count += 1
        return (x * self.weight).sum(1)


class Shuffled(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return (x[:, torch.randperm(2)] * self.weight).sum(1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Shuffled(), "draws from PyTorch's global random numbers, which all runs share"),
        (nn.Linear(2, 1), r"outputs of shape \(4, 1\) .* must be \(4,\)"),
        (Remembers(), "changes its attribute 'count'.* must be a buffer"),
        (nn.Sequential(nn.Linear(2, 2), nn.Flatten(0, -1)), r"outputs of shape \(8,\)"),
        (nn.Flatten(0, -1), "has no parameters"),
    ],
)
def test_networks_that_cannot_be_members_are_told_what_to_change(module, message):
    fault = network_fault(lambda: deepcopy(module), (torch.randn(4, 2),), {"logits": ()})
    assert fault is not None
    assert re.search(message, fault), fault


def test_results_of_another_format_are_refused(tmp_path):
    found = plan(tmp_path)
    results_folder.prepare(found)
    mark = found.folder / results_folder.MARK
    mark.write_text(mark.read_text().replace('"format": 2', '"format": 0'))
    with pytest.raises(GanbenchError, match=r"holds results of ganbench .*, format 0; this is version .*, format 2"):
        results_folder.prepare(found)
    mark.write_text("{")
    with pytest.raises(GanbenchError, match="is damaged"):
        results_folder.prepare(found)


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GanbenchError, match=r"results: cannot write to .*file/tiny"):
        results_folder.prepare(plan(tmp_path / "file"))


def test_a_study_that_does_not_fit_the_disk_is_refused(tmp_path):
    found = plan(tmp_path)
    results_folder.prepare(found)
    with pytest.raises(GanbenchError, match=r"GB left, and the study needs about 1000000\.0 GB"):
        results_folder.require_space(found, 10**15)


def aged(job: Job) -> Job:
    """The job, as planned before its sources were edited."""
    task, old = job.task, {"sources": "0" * 64}
    changes = old if hasattr(task, "sources") else {}
    if hasattr(task, "groups"):
        changes = changes | {"groups": tuple(replace(group, **old) for group in task.groups)}
    if hasattr(task, "experiments"):
        changes = changes | {"experiments": {name: replace(each, **old) for name, each in task.experiments.items()}}
    return replace(job, task=replace(task, **changes))


def test_a_job_planned_from_other_sources_is_refused(tmp_path):
    found = plan(tmp_path, diagnose=["rotation"])
    for stage in ("prepare", "judge", "reference", "train", "evaluate", "diagnose"):
        (job,) = found.jobs(stage).values()
        with pytest.raises(GanbenchError, match="edited after this job was planned"):
            run(aged(job))
        assert not job.path.exists()


# Games and diagnostics ------------------------------------------------------------------------------------------------

TOY = {"learning_rate": 0.1, "seed": [0, 1], "optimizer": "sgd"}


def toys(tmp_path, *blocks, **changes) -> Plan:
    found = plan(tmp_path, grid=[TOY | block for block in blocks], **changes)
    results_folder.prepare(found)
    return found


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            {"game": {"name": "gaussian", "max_output": 2.0}},
            r"'max_output' must be a finite number of at least 0 and below 1",
        ),
        (
            {"game": {"name": "bilinear", "initial_parameters": [1.0]}},
            r"grid: bilinear: initial_parameters must have 2 finite values \(x, y",
        ),
        (
            {"game": "dirac", "regularizer": {"name": "weight_clipping", "clip_value": -1.0}},
            r"'clip_value' must be a finite number above 0",
        ),
        (
            {"game": "bilinear", "dynamics": {"name": "lookahead", "sync_period": 0}},
            r"'sync_period' must be an integer from 1 .*, but is 0",
        ),
        ({"game": "bilinear", "dynamics": "runge_kutta", "optimizer": "adam"}, r"runge_kutta .* needs an optimizer"),
        (
            {"dataset": "ring8", "architecture": "mlp", "dynamics": "runge_kutta", "optimizer": "adam"},
            r"runge_kutta .* needs an optimizer",
        ),
    ],
)
def test_a_game_that_cannot_be_played_as_asked_is_refused(tmp_path, block, message):
    with pytest.raises(GanbenchError, match=message):
        check(toys(tmp_path, block))


def test_a_claim_about_what_no_diagnostic_measures_is_refused(tmp_path):
    def claiming(quantity):
        decide = [{"bound": {"quantity": quantity, "above": 0}}]
        return {"diagnose": ["path"], "claims": [{"id": "A1", "statement": "So.", "tests": decide}]}

    check(toys(tmp_path, {"game": "bilinear"}, **claiming("path.step_ratio + 0 * path.final_x")))
    with pytest.raises(
        GanbenchError, match=r"claims\.A1: unknown measurement 'path\.step_rato'. Did you mean 'path\.st"
    ):
        check(toys(tmp_path, {"game": "bilinear"}, **claiming("path.step_rato")))
    with pytest.raises(GanbenchError, match=r"unknown measurement 'path\.final_psi'"):
        check(toys(tmp_path, {"game": "bilinear"}, **claiming("path.final_psi")))


RECORDED = "late.real_output + events.rejection_share + lift.spike_near_mode_hop"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        ("final.fdd", r"unknown measurement 'final\.fdd'\. Did you mean 'final\.fd'"),
        ("rank_correlation.fid", r"unknown measurement 'rank_correlation\.fid'"),
        ("outcome.divergd", r"unknown measurement 'outcome\.divergd'\. Did you mean 'outcome\.diverged'"),
        ("early.generator_los", r"unknown measurement 'early\.generator_los'\. Did you mean 'early\.generator_loss'"),
        ("events.spikes", r"unknown measurement 'events\.spikes'\. Did you mean 'events\.spike'"),
    ],
)
def test_a_claim_about_a_score_or_an_outcome_that_there_is_not_is_refused(tmp_path, quantity, message):
    def claiming(quantity):
        decide = [{"bound": {"quantity": quantity, "above": 0}}]
        return {"claims": [{"id": "A1", "statement": "So.", "tests": decide}]}

    networks = {"dataset": "ring8", "architecture": "mlp"}
    for fine in (
        "final.fd",
        "best.modes",
        "outcome.discriminator_won",
        "outcome.failed + 0 * learning_rate",
        RECORDED,
    ):
        check(toys(tmp_path, networks, **claiming(fine)))
    with pytest.raises(GanbenchError, match=rf"claims\.A1: {message}"):
        check(toys(tmp_path, networks, **claiming(quantity)))


@pytest.mark.cluster
def test_a_claim_about_outcomes_that_no_metric_shows_is_refused(tmp_path):
    def claiming(quantity, of):
        decide = [{"bound": {"where": of, "quantity": quantity, "below": 1}}]
        blind = {"evaluate": {"metrics": ["fd"]}}
        return blind | {"claims": [{"id": "A1", "statement": "So.", "tests": decide}]}

    blocks = ({"dataset": "ring8", "architecture": "mlp"}, {"game": "bilinear"})
    check(toys(tmp_path, *blocks, **claiming("outcome.failed", {"game": "bilinear"})))
    check(toys(tmp_path, *blocks, **claiming("outcome.diverged", {"game": "gan"})))
    for quantity in ("outcome.collapsed", "outcome.failed", "outcome.converged"):
        with pytest.raises(GanbenchError, match=rf"claims\.A1: {quantity} of .* without the metric mode_coverage"):
            check(toys(tmp_path, *blocks, **claiming(quantity, {"game": "gan"})))


RING8, DIGITS = {"dataset": "ring8", "architecture": "mlp"}, {"dataset": "digits", "architecture": "fc"}


@pytest.mark.parametrize(
    ("quantity", "networks", "metric", "why"),
    [
        ("cycling", RING8, None, "without the metric mode_coverage"),
        pytest.param("memorizing", RING8, "memorization", "the column memorization_ratio", marks=pytest.mark.slow),
        pytest.param(
            "checkerboard_artifacts", DIGITS, "checkerboard", "the column checkerboard_excess", marks=pytest.mark.slow
        ),
    ],
)
def test_a_claim_about_an_outcome_needs_the_metric_that_shows_it(tmp_path, quantity, networks, metric, why):
    def claiming(*metrics):
        decide = [{"bound": {"quantity": f"outcome.{quantity}", "below": 1}}]
        claims = [{"id": "A1", "statement": "So.", "tests": decide}]
        return {"evaluate": {"metrics": ["fd", *metrics]}, "claims": claims}

    check(toys(tmp_path, networks, **claiming("mode_coverage", *filter(None, [metric]))))
    with pytest.raises(GanbenchError, match=rf"claims\.A1: outcome\.{quantity} of runs .*{why}"):
        check(toys(tmp_path, networks, **claiming()))


def test_an_outcome_is_claimed_of_the_data_on_which_it_can_be_seen():
    """A collapse of data of one mode is impossible, so that nothing is missing to know what became of a run."""

    def outcomes(columns, modes):
        found = unseen(columns, modes)
        assert ("outcome.cycling" in found) == ("events.mode_hop" in found) == ("lift.spike_near_mode_hop" in found)
        assert "events.spike" not in found
        return {name for name in found if name.startswith("outcome.")}

    columns = {column for info in catalogue().values() for column in info.needs}
    assert outcomes(columns, 8) == set()
    assert outcomes(columns, 1) == {"outcome.collapsed", "outcome.partly_collapsed", "outcome.cycling"}
    assert outcomes((), 1) == outcomes(columns, 1) | {"outcome.memorizing", "outcome.checkerboard_artifacts"}
    assert {"outcome.failed", "outcome.converged", "outcome.collapsed"} <= outcomes(columns, 0)
    for modes in (0, 1):
        assert outcomes({*columns, "diversity"}, modes) == {"outcome.partly_collapsed", "outcome.cycling"}


def test_rejection_and_saturation_are_claimed_of_probabilities_alone():
    assert critics(parse_choice("objective", "non_saturating")) == critics(None) == {}
    found = critics(parse_choice("objective", "hinge"))
    assert {"events.rejection", "events.saturation_longest", "lift.spike_near_rejection"} <= found.keys()
    assert "events.spike" not in found
    assert found["events.rejection"].startswith("with the objective hinge, whose discriminator gives scores")


def test_relapses_are_claimed_where_a_metric_tells_better_from_worse():
    neither, low = MetricInfo("Loss", "What.", "none", 0, None), MetricInfo("Distance", "How far.", "low", 0, None)
    assert unmeasured({"loss": neither, "fd": low}) == {}
    for nothing in ({}, {"loss": neither}):
        assert {"events.relapse", "events.relapse_ended", "lift.spike_near_relapse"} <= unmeasured(nothing).keys()
        assert "events.spike" not in unmeasured(nothing)


def test_a_number_that_no_run_of_a_group_has_is_refused():
    toy, gan = {"game": "bilinear", "seed": 0}, {"game": "gan", "seed": 0}
    points = [(toy, recorded(("first_loss",), data=False)), (gan, recorded(("generator_loss",), data=True))]
    of_toys, of_all = Selector((("game", ("bilinear",)),)), Selector()
    for fine in ("early.first_loss", "early.generator_loss", "events.spike", "final.fd"):
        refuse_unrecorded("claims.A1", {fine}, [of_all], points)
    with pytest.raises(
        GanbenchError, match=r"no run of .*bilinear.* has early\.generator_loss; they have early\.first_l"
    ):
        refuse_unrecorded("claims.A1", {"early.generator_loss"}, [of_all, of_toys], points)
    for name in ("events.relapse", "lift.spike_near_rejection"):
        with pytest.raises(GanbenchError, match=rf"claims\.A1: no run of .* has {name}; none trains networks on data"):
            refuse_unrecorded("claims.A1", {name}, [of_toys], points)


def test_the_statistical_tests_of_a_study_are_tabled_with_their_runs_before_these_are_made(tmp_path):
    """Sixteen runs of alternating descent, eight of them at the larger rate, and ten of simultaneous descent."""
    share, mean = {"quantity": "path.growth", "above": 1}, {"quantity": "path.growth", "above": 0}
    alternating, simultaneous = ({"dynamics": name} for name in ("alternating", "simultaneous"))
    faster = {**alternating, "learning_rate": 0.2}
    tests = [
        {"bound": {"quantity": "path.growth", "below": 9}},
        {"proportion": {**share, "at_least": 0.5, "where": faster, "expected": 1.0}},
        {"proportion": {**share, "at_least": 0.5, "where": alternating, "among": "outcome.failed", "expected": 1.0}},
        {"difference": {**mean, "where": faster, "baseline": simultaneous, "expected": 9.0, "expected_std": 1.0}},
        {"proportion": {**share, "at_most": 0.5, "where": simultaneous}},
    ]
    found = toys(
        tmp_path,
        {"game": "bilinear", **alternating, "learning_rate": [0.1, 0.2], "seed": [*range(8)]},
        {"game": "bilinear", **simultaneous, "learning_rate": 0.1, "seed": [*range(2, 12)]},
        diagnose=["path"],
        claims=[
            {"id": "A1", "statement": "So.", "tests": tests[:3]},
            {"id": "B2", "statement": "So.", "tests": tests[3:]},
        ],
    )
    table = planned_tests(found)
    assert table.title == "4 statistical tests of claims"
    rows = [*zip(*(column.cells for column in table.columns), strict=True)]
    assert {row[2] for row in rows} == {"path.growth"}
    among = "of those with outcome.failed other than 0; 8 are selected at most"
    # All of n fair coins fall alike with probability 2 / 2^n; the level is 0.05 / (4 (1 + 1/2 + 1/3 + 1/4)), 2 / 2^8.4.
    assert [(row[0], row[1], *row[3:]) for row in rows] == [
        ("A1", "proportion", "8 runs", "9 runs for a share of 1"),
        ("A1", "proportion", "at most 8 seeds", f"9 seeds for a share of 1, {among}"),
        ("B2", "difference", "8 runs of each", "10 runs of each for a difference of 9"),
        ("B2", "proportion", "10 runs", "no effect is stated"),
    ]
    assert planned_tests(toys(tmp_path, {"game": "bilinear", "learning_rate": 0.1, "seed": 0})) is None


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (
            [{"at_least": 0.9}],
            "claims.A1.proportion: at_least 0.9 can be confirmed by 36 runs or more, but the test is",
        ),
        ([{"at_most": 0.1}], "at_most 0.1 can be confirmed by 36 runs or more, but the test is about 35; add seeds"),
        (
            [{"at_least": 0.9, "among": "outcome.failed"}],
            "but the test is about 35 at most, those of them with outcome.failed other than 0; add seeds",
        ),
        (  # 2 * 0.9^39 * (1 + 1/2) < 0.05 < 2 * 0.9^38 * (1 + 1/2)
            [{"at_least": 0.9}, {"at_least": 0.1}],
            "at_least 0.9 can be confirmed by 39 runs or more (adjusted for 2 tests), but",
        ),
        ([{"at_least": 0.9999}], "at_least 0.9999 can be confirmed by more than 10,000 runs, but the test is about 35"),
        ([{"at_least": 1}], "no number of runs can confirm this share; use 'bound' for that"),
        ([{"at_most": 0}], "no number of runs can confirm this share; use 'bound' for that"),
    ],
)
def test_a_share_that_no_result_of_its_runs_could_confirm_is_refused_before_the_trial(tmp_path, shares, message):
    tests = [{"proportion": {"quantity": "outcome.diverged", "above": 0.5, **share}} for share in shares]
    claims = [{"id": "A1", "statement": "So.", "tests": tests}]
    found = toys(tmp_path, {"game": "bilinear", "seed": [*range(35)]}, claims=claims)
    with pytest.raises(GanbenchError, match=re.escape(message)):
        check_study(found)


def test_a_share_that_all_runs_together_confirm_is_not_refused(tmp_path):
    tests = [{"proportion": {"quantity": "outcome.diverged", "above": 0.5, "at_least": 0.9}}]
    claims = [{"id": "A1", "statement": "So.", "tests": tests}]
    refuse_unconfirmable(toys(tmp_path, {"game": "bilinear", "seed": [*range(36)]}, claims=claims))


def test_a_claim_about_a_series_of_games_that_have_none_is_refused(tmp_path):
    decide = [{"bound": {"where": {"game": "bilinear"}, "quantity": "late.fake_output", "below": 1}}]
    claims = [{"id": "A1", "statement": "So.", "tests": decide}]
    with pytest.raises(GanbenchError, match=r"claims\.A1: no run of .* has late\.fake_output; they have late\."):
        check(toys(tmp_path, RING8, {"game": "bilinear"}, claims=claims))


def test_the_metrics_that_outcomes_need_fill_their_columns():
    for info in catalogue().values():
        for column, metric in info.needs.items():
            assert column in part("metric", metric).columns


def test_an_experiment_called_like_a_view_of_the_results_is_refused(tmp_path):
    experiment = {"name": "outcome", "diagnostic": "path"}
    with pytest.raises(
        GanbenchError, match=r"name: must be a name that claims can say.*outcome, final.*but is 'outcome'"
    ):
        check(toys(tmp_path, {"game": "bilinear"}, diagnose=[experiment]))


ONLY_GANS = '''"""Looks at networks only."""
from dataclasses import dataclass
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult
from ganbench.games import gan


@dataclass(frozen=True)
class OnlyGANs(Diagnostic):
    def unsupported(self, game):
        return None if isinstance(game, gan.GAN) else "it has no networks; games that have: gan"

    def columns(self, game):
        return {"zero": MetricInfo("Zero", "Nothing.", "none", 0, 0)}

    def measure(self, trajectories):
        return DiagnosticResult({"zero": 0 * trajectories.rates["generator"][:, 0].numpy()})
'''


def test_an_diagnostic_is_refused_for_a_game_it_was_told_to_measure_and_passes_over_others(tmp_path):
    path = tmp_path / "only_gans.py"
    path.write_text(ONLY_GANS)
    told = {"name": "zero", "diagnostic": str(path), "where": {"game": "bilinear"}}
    with pytest.raises(GanbenchError, match=r"diagnose\.zero: only_gans cannot measure bilinear: it has no networks"):
        check(toys(tmp_path, {"game": "bilinear"}, diagnose=[told]))
    check(toys(tmp_path, {"game": "bilinear"}, diagnose=[{"name": "zero", "diagnostic": str(path)}]))


# Inception weights ----------------------------------------------------------------------------------------------------


def test_weights_that_are_there_are_checked(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"something")
    sha256 = hashlib.sha256(b"something").hexdigest()
    inception_weights.fetch(path, sha256[:8])
    with pytest.raises(GanbenchError, match=rf"has the SHA-256 {sha256}, not 00000000"):
        inception_weights.fetch(path, "00000000")


def test_weights_that_cannot_be_had_say_which_file_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr(inception_weights, "URL", "http://127.0.0.1:9/pt_inception-2015-12-05-6726825d.pth")
    path = tmp_path / "new" / "w.pth"
    with pytest.raises(GanbenchError, match=rf"Put the file pt_inception-2015-12-05-6726825d\.pth .* at {path}"):
        inception_weights.fetch(path, "6726825d")
    assert not list(path.parent.iterdir())


# Devices and fusing ---------------------------------------------------------------------------------------------------


def test_jobs_get_devices_of_their_own_and_wait_for_a_free_one(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "POLL_SECONDS", 0.01)
    names, got, said, waits = ["a", "b"], [], [], threading.Event()

    def log(text: str) -> None:
        said.append(text)
        waits.set()

    monkeypatch.setattr(devices, "log", log)

    def third():
        with acquire_free_gpu(names, tmp_path) as index:
            got.append(index)

    with ExitStack() as holding:
        first = holding.enter_context(acquire_free_gpu(names, tmp_path))
        with acquire_free_gpu(names, tmp_path) as second:
            assert (first, second) == (0, 1)
            thread = threading.Thread(target=third)
            thread.start()
            assert waits.wait(60)
            assert got == [], "with every device taken, a job waits"
            holding.close()  # of the two only this one becomes free
            thread.join(timeout=60)
            assert got == [0]
    assert said == ["all 2 GPUs are taken by other jobs; waiting for one"]


def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with acquire_device("auto") as device:
        assert device.type == "cpu"
    with pytest.raises(GanbenchError, match=r"machine\.device: 'cuda' was asked for"), acquire_device("cuda"):
        pass


def test_the_rule_of_fusing_counts_parameters_and_members(tmp_path):
    task = next(iter(plan(tmp_path).train.values())).task
    game = build_game(task.groups[0].components, task.train, None, CPU)
    work, architecture = forward_work(game), game.architecture
    sizes = [architecture.latent_size, *architecture._widths(architecture.hidden_sizes, game.data), 64]
    layers = sum(a * b for a, b in pairwise(sizes))
    back = [64, *reversed(architecture._widths(architecture.hidden_sizes, game.data)), 1]
    layers += sum(a * b for a, b in pairwise(back))
    assert work == 2 * layers * game.batch_size, "a multiplication and an addition per weight and example"
    assert decide("auto", game, 1, CPU)[0] is False
    assert decide("never", game, 8, CPU) == (False, "the study says fuse: never")
    assert decide("always", game, 8, CPU)[0] is True
    size = parameters(game)
    assert size == layers + sum(sizes[1:]) + sum(back[1:]), "a weight per connection and a bias per unit"
    for members in (2, 8, 10_000):
        assert decide("auto", game, members, CPU)[0] is (members * size <= MAX_PARAMETERS)
    assert decide("auto", game, 2, torch.device("cuda"))[0] is True


@pytest.mark.parametrize(("members", "limit"), [(100, 160_000), (1000, 16_000)])
def test_a_pack_is_fused_up_to_the_size_at_which_that_was_measured_to_pay(members, limit):
    """16 million parameters of all members, where no network's work keeps a core busy by itself."""
    for size, fuse in ((limit // 2, True), (limit // 2 + 1, False)):
        decided, why = decide("auto", toy("bilinear", singular_values=(1.0,) * size), members, CPU)
        assert decided is fuse
        assert f"{2 * size:,} parameters and 0.0 MFLOP forward per run; {members} runs fuse up to {limit:,} " in why


class Seen(type(part("architecture", "dcgan"))):
    """A DCGAN that notes the batches which its discriminator is shown."""

    seen: ClassVar[list[int]] = []

    def discriminator(self, data):
        module = super().discriminator(data)
        module.register_forward_pre_hook(lambda _, given: self.seen.append(len(given[0])))
        return module


@pytest.mark.parametrize("batch_size", [2, 8, 9, 64])
def test_the_work_of_a_batch_is_counted_on_a_few_examples(batch_size):
    data = DataSpec(shape=(3, 32, 32), bounded=True, train=8, modes=2)
    game = gan(np.zeros((8, 3, 32, 32)), data=data, architecture=Seen(base_channels=4), batch_size=batch_size)
    Seen.seen.clear()
    work = forward_work(game)
    assert max(Seen.seen) <= 8
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        for player in game.players:
            module = initial_module(game.architecture, player, data, 0)
            module(*trial_inputs(game.architecture, player, data, batch_size))
    assert work == counter.get_total_flops()


@pytest.mark.parametrize("name", names("architecture"))
def test_the_work_of_a_network_is_what_pytorch_counts(name):
    architecture = part("architecture", name)
    specs = [
        DataSpec(shape=shape, bounded=len(shape) > 1, train=64, modes=2) for shape in ((2,), (1, 8, 8), (3, 16, 16))
    ]
    spec = next(spec for spec in specs if architecture.unsupported(spec) is None)
    game = gan(np.zeros((64, *spec.shape)), data=spec, architecture=architecture)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        for player in game.players:
            initial_module(architecture, player, spec, seed=0)(*trial_inputs(architecture, player, spec, 8))
    assert forward_work(game) == counter.get_total_flops() > 0


def test_games_of_a_few_numbers_fuse():
    assert forward_work(toy("bilinear")) == 0
    assert parameters(toy("quadratic", curvatures=(1.0, 2.0, 3.0))) == 3
    assert decide("auto", toy("bilinear"), 2, CPU)[0] is True
