"""The benchmarks run and say what they should; how fast anything is, no test decides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from benchmarks import (
    architectures,
    bench,
    by_hand,
    dynamics,
    execution,
    made_up,
    metrics,
    overhead,
    planning,
    rate,
    second_order,
    summarising,
    throughput,
)
from benchmarks.by_hand import ByHand
from benchmarks.cases import CASES, CONTENDERS
from benchmarks.plain import PlainRun
from benchmarks.sheets import Sheet, heading, save
from benchmarks.workers import ROOT, Peak, peak_host
from ganbench.analysis.collected import Collected
from ganbench.core import registry
from ganbench.core.recorder import series_names
from ganbench.engine.fusing import parameters
from ganbench.engine.train import Training, train
from ganbench.games import Match
from ganbench.pipeline import stages
from ganbench.pipeline.execution import devices, processor

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def measured() -> throughput.Rates:
    return throughput.measure(CONTENDERS["mlp"], 2, "cpu", rounds=2, seconds=0.02)


@pytest.mark.slow
def test_variants_take_turns(measured):
    assert set(measured.turns) == set(throughput.VARIANTS)
    assert all(len(rates) == 2 and min(rates) > 0 for rates in measured.turns.values())
    assert all(seconds > 0 for seconds in measured.start_seconds.values())
    assert all(peak.host > 10 for peak in measured.peaks.values())
    assert 0 < measured.regret <= 1


@pytest.mark.slow
def test_sheets_of_a_measurement(measured):
    sheets = [
        throughput.throughput_sheet([measured], product=1e11),
        throughput.start_sheet([measured]),
        throughput.memory_sheet([measured], "cpu"),
        throughput.fusing_sheet([measured]),
    ]
    for sheet in sheets:
        assert [len(row) for row in sheet.rows] == [len(sheet.columns)]
        assert sheet.rows[0][0] == "mlp"


def rates(runs: int, fuses: bool = True, **turns: float) -> throughput.Rates:
    """Made-up measurements."""
    by_variant = {name.replace("_", " "): [value, value] for name, value in turns.items()}
    return throughput.Rates(CONTENDERS["mlp"], runs, by_variant, {}, {}, fuses=fuses)


def test_the_rule_s_mistakes_and_missed_goals_are_named():
    fast = {"fused": 12.1, "by_hand": 10.0, "unfused": 9.0, "plain": 9.0}
    assert rates(16, **fast).verdict == rates(8, **fast).verdict == "ok"
    assert rates(16, **fast | {"by_hand": 12.1}).verdict == "17% below the goal"
    assert rates(2, **fast | {"by_hand": 100.0}).verdict == "ok", "the goal is for 8 and 16 runs"
    assert rates(2, fuses=False, **fast).verdict == "26% slower than fused"
    assert rates(2, **fast | {"plain": 13.0}).verdict == "slower than a process per run"
    (row,) = throughput.throughput_sheet([rates(16, **fast)], product=1e9).rows
    share = 12.1 * rate.step_flops(CONTENDERS["mlp"]) / 1e9
    assert row[3] == f"12 ± 0% ({share:.0%})"
    assert row[-3:-1] == ["1.21", "1.34"]


@pytest.mark.parametrize("name", CONTENDERS)
def test_the_step_by_hand_computes_the_engine_s_numbers(name):
    """From the same starts, on the same batches: every recorded series of 8 steps, in double precision."""
    case, runs, device, steps = CONTENDERS[name], 2, torch.device("cpu"), 8
    game = case.game()
    game = replace(game, examples=game.examples.double())
    training = case.training(steps)
    match = Match(game, case.members(runs), device, torch.float64)
    players, learning_rates = match.init(), match.rates()
    states = training.dynamics.init(match, players, training.optimizer)
    opponent = ByHand(case, runs, device, torch.float64)
    for step in range(steps):
        (batch,) = match.draw(step, 1)
        result = training.dynamics.step(match, players, states, [batch], training.optimizer, learning_rates)
        players, states = result.players, result.states
        norms = {f"{player}_parameter_norm": theta.norm(dim=1) for player, theta in players.items()}
        expected = torch.stack([(result.aux | norms)[series] for series in by_hand.SERIES], dim=1)
        inputs = [game.examples.read(batch), batch["latent.discriminator"], batch["latent.generator"]]
        if opponent.discriminator.convolves:
            inputs = [each.transpose(0, 1) for each in inputs]
        else:
            inputs[0] = inputs[0].flatten(2)
        torch.testing.assert_close(opponent.step(*inputs), expected, rtol=1e-10, atol=0)
    assert set(by_hand.SERIES) == set(series_names(game.players, game.series)), "no less is recorded"


@pytest.mark.parametrize("name", CONTENDERS)
def test_the_step_by_hand_trains(name):
    run = ByHand(CONTENDERS[name], 2, torch.device("cpu"))
    before = [weight.detach().clone() for weight in run.generator.weights]
    run.train(26)
    assert [record.shape for record in run.records] == [(25, 2, 8), (1, 2, 8)]
    assert all(np.isfinite(record).all() for record in run.records)
    assert all(not torch.equal(old, new) for old, new in zip(before, run.generator.weights, strict=True))


def test_auto_s_choices_name_the_form():
    row = throughput.Rates(CONTENDERS["mlp"], 4, {}, {}, {"fused": Peak(1.0, 0.0, "traced")}, fuses=True)
    assert row.choices == "fused, traced"
    assert replace(row, fuses=False).choices == "unfused"


def test_forms_of_execution_side_by_side(monkeypatch):
    monkeypatch.setattr(execution, "forms", lambda device: ("eager", "traced"))
    monkeypatch.setattr(execution, "COMPILED", "traced")  # a compiler takes long
    sheet = execution.sheet([(dynamics.SMALL_RING, 2)], "cpu", rounds=1, seconds=1e-3)
    (row,) = sheet.rows
    assert len(row) == len(sheet.columns) == 10
    assert int(row[2].replace(",", "")) > 50, "operations of a step"
    assert row[4].endswith("(1.00)")
    assert row[-1].endswith(", of 6,000 steps")
    assert execution.repaid(1.0, 0.02) == "50 steps"
    assert execution.repaid(1.0, -0.02) == "never"


def test_layers_without_a_fused_form_are_refused():
    with pytest.raises(TypeError, match="no fused form of GELU"):
        by_hand.fused_layer([torch.nn.GELU()])


def test_step_flops_count_forward_and_backward():
    # One layer's products: 2 * batch * inputs * outputs. Of the discriminator's step: the generator forward; the
    # discriminator forward twice and backward twice without its first layer's inputs. Of the generator's step: both
    # forward and both backward, without the discriminator's weights and the generator's first inputs.
    generator = [16 * 64, 64 * 64, 64 * 2]
    discriminator = [2 * 64, 64 * 64, 64 * 1]
    d_step = sum(generator) + 2 * (3 * sum(discriminator) - discriminator[0])
    g_step = 3 * sum(generator) - generator[0] + 2 * sum(discriminator)
    assert rate.step_flops(CASES["mlp"]) == 2 * 32 * (d_step + g_step)


@pytest.mark.parametrize("name", CONTENDERS)
def test_the_plain_loop_trains(name):
    run = PlainRun(CONTENDERS[name], 0, torch.device("cpu"))
    before = [parameter.detach().clone() for parameter in run.generator.parameters()]
    run.train(2)
    after = list(run.generator.parameters())
    assert len(run.log) == 1
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(("name", "members"), [("bilinear", 3), (dynamics.SMALL_RING.name, 1)])
def test_every_dynamics_is_timed_beside_simultaneous_steps(name, members):
    speeds = dynamics.measure(name, members, "cpu", rounds=2, seconds=1e-3)
    assert set(speeds.turns) == set(registry.components("dynamics"))
    assert all(len(rates) == 2 and min(rates) > 0 for rates in speeds.turns.values())
    sheet = dynamics.sheet([speeds])
    assert [row[0] for row in sheet.rows] == ["simultaneous", *sorted(set(speeds.turns) - {"simultaneous"})]
    assert all(len(row) == len(sheet.columns) for row in sheet.rows)
    assert sheet.rows[0][2].endswith("(1.00)")


def test_what_is_timed_moves_as_in_training():
    """A runner's steps are the engine's: from the same seeds to the same places."""
    game = dynamics.make_game(dynamics.SMALL_RING.name, "cpu")
    runner = dynamics.Runner(game, 2, "extragradient", "cpu")
    runner(20)
    runner(20)
    shared = Training(runner.dynamics, runner.optimizer, 40, torch.float32, (40,), 1)
    for place, tree in enumerate(train(game, shared, runner.match.members, device=torch.device("cpu"))):
        for player, theta in runner.players.items():
            torch.testing.assert_close(theta[place], torch.from_numpy(tree["snapshots"][player][-1]))


def test_the_spectrum_s_cost_is_told_in_steps():
    sheet = dynamics.spectrum_sheet([("bilinear", 2), (dynamics.SMALL_RING.name, 1)], "cpu", rounds=1, seconds=1e-3)
    assert [row[3] for row in sheet.rows] == ["all", "all"]
    assert all(len(row) == len(sheet.columns) for row in sheet.rows)
    assert dynamics.SPECTRA[-1][0] == dynamics.RING.name
    assert parameters(dynamics.make_game(dynamics.RING.name, "cpu")) > 600, "the larger networks' are Arnoldi's"


def test_methods_with_second_derivatives_are_found():
    found = [name for method in second_order.methods() for name in method.values()]
    assert {"consensus", "potential_component", "symplectic", "unrolled", "r1", "r2"} <= set(found)
    assert not {"simultaneous", "alternating", "extragradient", "optimistic", "weight_decay", "none"} & set(found)


def test_kernels_are_counted():
    x, weight = torch.randn(2, 3, 4, 4, requires_grad=True), torch.randn(5, 3, 3, 3)
    with second_order.KernelCounter() as counter:
        features = torch.nn.functional.conv2d(x, weight).flatten(1)
        torch.autograd.grad((features @ features.T).sum(), x)
    assert counter.counts == {"convolution": 1, "convolution_backward": 1, "mm": 3}


def test_kernels_of_methods_by_the_size_of_the_pack():
    sheet = second_order.sheet([{"regularizer": "r1"}], "cpu", sizes=(2, 3), rounds=1)
    (none, r1) = sheet.rows
    assert none[:2] == ["none", ""]
    assert none[2] == none[3], "what is fused needs no more kernels for more runs"
    assert r1[:2] == ["r1", "regularizer"]
    assert int(r1[2]) > int(none[2])
    assert all(len(row) == len(sheet.columns) for row in sheet.rows)


@pytest.mark.slow
def test_a_job_s_time_is_shared_out_in_full():
    sheet = overhead.measure([("mlp", 2, 50)], "cpu")
    (row,) = sheet.rows
    assert len(row) == len(sheet.columns)
    whole, parts = float(row[3]), [float(cell) for cell in row[4:-1]]
    assert len(parts) == len(overhead.PARTS)
    assert sum(parts) == pytest.approx(whole, abs=0.01 * len(parts))


@pytest.mark.slow
def test_a_finished_study_has_nothing_to_do(tmp_path):
    file = tmp_path / "study.yaml"
    text = planning.SWEEP.format(results=tmp_path / "results", rates="0.001", seeds=4)
    assert yaml.safe_load(text)["study"] == "sweep"
    file.write_text(text)
    assert planning.finish(file) == (4, 1)
    assert planning.dry_run(file, idle=True) > 0


@pytest.mark.slow
def test_every_stage_after_evaluation_is_timed(tmp_path):
    taken = summarising.stage_seconds(tmp_path, 1)
    assert len(taken) == len(summarising.FOLLOWING)
    assert min(taken) > 0
    assert (tmp_path / "results" / "mlflow.db").exists()


def test_results_are_written_as_markdown(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.sheets.RESULTS", tmp_path)
    sheet = Sheet("A table", ["case", "rate"], "A note.")
    sheet.add("mlp", 7)
    other = Sheet("Another", [], "Not measured.")
    text = save([sheet, other], "cpu").read_text()
    table = "| case | rate |\n| --- | ---: |\n| mlp | 7 |\n"
    assert f"## A table\n\nA note.\n\n{heading('cpu')}\n\n{table}\n## Another\n\nNot measured.\n" in text
    assert torch.__version__ in text

    sheet.rows[0][-1] = "8"
    assert save([sheet], "cpu").read_text() == text.replace("| 7 |", "| 8 |"), "a table anew, and the others kept"
    assert "Another" not in save([sheet], "cpu", keep=False).read_text()


@pytest.mark.slow
def test_a_machine_without_the_workflow_s_packages_can_train():
    code = (
        "import sys, json, benchmarks.gpu, benchmarks.workers, benchmarks.plain, benchmarks.by_hand\n"
        "assert 'rich' not in sys.modules and 'sklearn' not in sys.modules\n"
        "import benchmarks.bench\n"
        "benchmarks.cases.CASES['mlp'].training(1), benchmarks.cases.CASES['mlp'].game()\n"
        "benchmarks.dynamics.measure('bilinear', 1, 'cpu', rounds=1, seconds=1e-3)\n"
        "benchmarks.dynamics.spectrum_sheet([('bilinear', 1)], 'cpu', rounds=1, seconds=1e-3)\n"
        "print(json.dumps([name for name in ('snakemake', 'pydantic', 'mlflow', 'yaml') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_sections_can_be_left_out():
    assert list(bench.sheets("cpu", quick=True, only=[])) == []
    assert peak_host() > 10


@pytest.mark.slow
def test_sheets_of_the_metrics_name_them_all():
    torch.set_num_threads(2)
    costs = metrics.costs(samples=120, features=4, side=16)
    assert processor.threads() == 1, "seconds of one core"
    torch.set_num_threads(2)
    distances = metrics.frechet(sizes=(20, 90), features=40, rounds=2)
    assert processor.threads() == 1
    assert {row[0] for row in costs.rows} == set(registry.components("metric")) - {"fid"}
    for sheet in (costs, distances):
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)
    assert float(distances.rows[1][4]) < 1e-9
    assert metrics._held(lambda: np.ones(2**20).sum()) == pytest.approx(2**23, rel=0.1), "eight bytes each"


@pytest.mark.slow
def test_evaluation_s_share_is_measured_where_there_are_no_results(tmp_path, monkeypatch):
    visible, wanted = os.environ.get("CUDA_VISIBLE_DEVICES"), set()
    monkeypatch.setattr(devices, "check_device", wanted.add)
    train, evaluate = metrics.share(tmp_path, steps=4, samples=20).rows
    assert (train[0], train[2]) == ("train", "100%")
    assert evaluate[0] == "evaluate"
    assert wanted == {"cpu"}, "seconds of one core"
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == visible, "for what is measured next"
    assert float(evaluate[1]) > 0


def test_every_architecture_has_a_native_size_that_it_can_do():
    assert architectures.NATIVE.keys() == registry.components("architecture").keys()
    for name in architectures.NATIVE:
        case = architectures.case_of(name, 2)
        assert case.networks.unsupported(case.data) is None


@pytest.mark.cluster
def test_architectures_are_timed_alone_and_fused():
    sheet = architectures.sheet(["mlp"], "cpu", runs=2, batch_size=4, steps=1)
    (row,) = sheet.rows
    assert row[:3] == ["mlp", "2", "9,795"]
    alone, fused = (float(cell.replace(",", "")) for cell in row[4:6])
    assert alone > 0
    assert fused > 0
    assert all(float(memory) > 50 for memory in row[-2:])  # MiB; PyTorch's imports alone are more


@pytest.mark.slow
def test_a_made_up_study_is_collected_like_a_trained_one(tmp_path, monkeypatch):
    monkeypatch.setattr(made_up, "TRAINED", 1)
    made_up.make_up(tmp_path, 12)
    (job,) = made_up.plan_of(tmp_path, 12).jobs("collect").values()
    stages.run(job)
    runs = Collected.read(job.path.parent).runs
    assert len(runs) == runs["run"].nunique() == 12
    assert runs["fd_final"].nunique() == 12
