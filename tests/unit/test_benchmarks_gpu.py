"""What `make gpu` checks, on the CPU and in small; and that it says what it could not do."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from benchmarks import checks, execution, gpu, rate, second_order, sheets, throughput
from benchmarks.checks import Finding

pytestmark = pytest.mark.cluster

CPU = torch.device("cpu")


@pytest.fixture
def small(monkeypatch):
    """Checks of one small network, without a compiler."""
    monkeypatch.setattr(checks, "CASES", checks.CASES[:1])
    monkeypatch.setattr(checks, "RUNS", 2)
    monkeypatch.setattr(checks, "forms", lambda device: ("traced",))


@pytest.mark.parametrize("name", checks.CHECKS)
def test_checks_hold_on_a_cpu(small, name):
    finding = checks.CHECKS[name](CPU)
    assert finding.holds is (None if "CPU" in name else True), finding.words


@pytest.mark.slow
def test_checks_fail_where_numbers_differ(small, monkeypatch):
    """Every training is of other seeds than the last."""
    train, calls = checks._train, []

    def other(case, training, device, seeds=(0, 1), resume=None):
        calls.append(seeds)
        return train(case, training, device, [seed + len(calls) for seed in seeds])

    monkeypatch.setattr(checks, "_train", other)
    for check in (checks.fused_against_alone, checks.resumed, checks.forms_against_eager, checks.halved):
        assert check(CPU).holds is False, check.__name__


def test_a_form_that_was_not_to_be_had_fails(small, monkeypatch):
    monkeypatch.setattr("ganbench.engine.step.trace", _refuse)
    finding = checks.forms_against_eager(CPU)
    assert finding.holds is False
    assert "mlp traced: a step cannot be traced: not today" in finding.words


def _refuse(*_):
    from ganbench.engine.tracing import Untraceable

    raise Untraceable("not today")


def test_differences_are_the_largest_of_runs_and_players():
    def tree(d: float, g: float) -> dict:
        return {"snapshots": {"discriminator": np.array([[0.0, d]]), "generator": np.array([[g, 0.0]])}}

    assert checks.difference([tree(1.0, 2.0), tree(4.0, 5.0)], [tree(1.0, 2.0), tree(4.0, 4.0)]) == 0.25


def test_a_machine_without_a_gpu_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 2
    assert capsys.readouterr().out.count("\n") == 1


def test_time_that_is_over_is_no_reason_to_fall_back():
    def falls_back():
        try:
            time.sleep(60)
        except Exception:
            pytest.fail("taken for a fault of what it stopped")

    with pytest.raises(gpu.TimeOver, match="after 0 s"), gpu.limit(0.05):
        falls_back()
    with pytest.raises(gpu.TimeOver, match="no time was left"), gpu.limit(-1.0):
        falls_back()


def test_what_fails_or_has_no_time_is_said_and_the_rest_is_done(monkeypatch, tmp_path, capsys):
    def broken(device):
        raise RuntimeError("a kernel failed\nat some place")

    found = {
        "good": lambda device: Finding(True, "equal"),
        "bad": lambda device: Finding(False, "other"),
        "broken": broken,
        "slow": lambda device: time.sleep(60),
        "late": lambda device: Finding(True, "equal"),
    }
    monkeypatch.setattr(checks, "CHECKS", found)
    monkeypatch.setattr(rate, "product_rate", lambda *given: 1e9)  # which takes a while on a busy machine
    # Of one second: enough for what comes before the slow ones, however busy the machine is.
    monkeypatch.setattr(gpu, "SHARES", dict.fromkeys(gpu.SHARES, 0.1) | {"checks": 3.0, "throughput": 1.0})
    monkeypatch.setattr(gpu, "COMPILER", ())
    for module, measurement in ((execution, "sheet"), (throughput, "measure"), (second_order, "sheet")):
        monkeypatch.setattr(module, measurement, lambda *given, **options: time.sleep(60))
    threads = torch.get_num_threads()
    assert gpu.main(["--device", "cpu", "--seconds", "1", "--folder", str(tmp_path)]) == 1
    torch.set_num_threads(threads)
    (path,) = tmp_path.iterdir()
    text = path.read_text()
    assert text.startswith(f"# {sheets.device_name('cpu')}\n")
    results = [
        line.split(" | ")[1] for line in text.splitlines() if line.startswith(tuple(f"| {name}" for name in found))
    ]
    assert results == ["holds", "FAILS", "FAILS", "not checked", "not checked"]
    assert "RuntimeError: a kernel failed |" in text
    assert "Not measured: " in text
    assert "Left out: mlp of 16 runs (stopped after " in text
    assert "dcgan of 16 runs (no time was left)" in text
    assert text.count("\n## ") == 4, "the checks, forms of execution, throughput, kernels"
    assert str(path) in capsys.readouterr().out
