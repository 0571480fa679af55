"""What `check` finds before anything starts, and how jobs share the devices of a machine."""

from __future__ import annotations

import hashlib
import re
import threading
from itertools import pairwise

import pytest
import torch
from torch import nn

from ganbench.core.errors import GanbenchError
from ganbench.core.study import parse
from ganbench.engine.fusing import FUSING_COST, LARGEST_PARAMETERS, decide, forward_work, parameters
from ganbench.stages import folder, run, weights
from ganbench.stages.check import check, network_fault
from ganbench.stages.device import device, free
from ganbench.stages.plan import Plan
from ganbench.stages.train import training_of


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
    message = r"'dcgan' cannot do data set 'ring8'.*shape \(2,\).*square images.*Architectures that can: mlp"
    with pytest.raises(GanbenchError, match=message):
        check(plan(tmp_path, grid=grid))


def test_a_metric_that_fits_no_data_set_is_refused(tmp_path):
    grid = [{"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3, "seed": 0}]
    with pytest.raises(GanbenchError, match=r"fid says nothing of any data set of the study \(ring8: FID is for"):
        check(plan(tmp_path, grid=grid, evaluate={"metrics": ["fid"]}))


def test_estimates_count_parameters_and_grow_with_the_study(tmp_path):
    small, large = plan(tmp_path), plan(tmp_path, train={"steps": 1000})
    for found in (small, large):
        folder.usable(found)
    (one,), (other,) = check(small), check(large)
    assert one.parameters == other.parameters
    assert one.runs == 2
    assert other.seconds == pytest.approx(100 * one.seconds)


class Remembers(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x):
        self.count += 1
        return (x * self.weight).sum(1)


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return ((x + torch.randn_like(x)) * self.weight).sum(1)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Noisy(), "draws random numbers, from a stream that all runs share"),
        (nn.Sequential(nn.Linear(2, 1), nn.Dropout(), nn.Flatten(0)), "Dropout, which draws from a random stream"),
        (nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1), nn.Flatten(0)), "give it track_running_stats=False"),
        (nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), r"fails on inputs of shape \(4, 2\)"),
        (nn.Linear(2, 1), r"outputs of shape \(4, 1\) .* must be \(4,\)"),
        (Remembers(), "changes its buffer 'count'"),
        (nn.Flatten(0, -1), r"outputs of shape \(8,\)"),
    ],
)
def test_networks_that_cannot_be_members_are_told_what_to_change(module, message):
    fault = network_fault(module, torch.zeros(4, 2), (4,))
    assert fault is not None
    assert re.search(message, fault), fault


def test_results_of_another_format_are_refused(tmp_path):
    found = plan(tmp_path)
    folder.usable(found)
    mark = found.folder / folder.MARK
    mark.write_text(mark.read_text().replace('"format": 1', '"format": 0'))
    with pytest.raises(GanbenchError, match=r"holds results of ganbench .*, format 0; this is version .*, format 1"):
        folder.usable(found)
    mark.write_text("{")
    with pytest.raises(GanbenchError, match="is damaged"):
        folder.usable(found)


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GanbenchError, match=r"results: cannot write to .*file/tiny"):
        folder.usable(plan(tmp_path / "file"))


def test_a_study_that_does_not_fit_the_disk_is_refused(tmp_path):
    found = plan(tmp_path)
    folder.usable(found)
    with pytest.raises(GanbenchError, match=r"GB left, and the study needs about 1000000\.0 GB"):
        folder.room(found, 10**15)


def test_a_job_planned_from_other_sources_is_refused(tmp_path):
    found = plan(tmp_path)
    for stage in ("train", "evaluate"):
        (job,) = found.jobs(stage).values()
        with pytest.raises(GanbenchError, match="edited after this job was planned"):
            run(stage, {**job.slice, "sources": "0" * 64}, job.path)
        assert not job.path.exists()


# Inception weights ----------------------------------------------------------------------------------------------------


def test_weights_that_are_there_are_checked(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"something")
    sha256 = hashlib.sha256(b"something").hexdigest()
    weights.fetch(path, sha256[:8])
    with pytest.raises(GanbenchError, match=rf"has the SHA-256 {sha256}, not 00000000"):
        weights.fetch(path, "00000000")


def test_weights_that_cannot_be_had_say_which_file_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "URL", "http://127.0.0.1:9/pt_inception-2015-12-05-6726825d.pth")
    path = tmp_path / "new" / "w.pth"
    with pytest.raises(GanbenchError, match=rf"Put the file pt_inception-2015-12-05-6726825d\.pth .* at {path}"):
        weights.fetch(path, "6726825d")
    assert not list(path.parent.iterdir())


# Devices and fusing ---------------------------------------------------------------------------------------------------


def test_jobs_get_devices_of_their_own_and_wait_for_a_free_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ganbench.stages.device.POLL_SECONDS", 0.01)
    names = ["a", "b"]
    got = []

    def third():
        with free(names, tmp_path) as index:
            got.append(index)

    with free(names, tmp_path) as first, free(names, tmp_path) as second:
        assert (first, second) == (0, 1)
        thread = threading.Thread(target=third)
        thread.start()
        thread.join(timeout=0.2)
        assert thread.is_alive(), "with every device taken, a job waits"
    thread.join(timeout=10)
    assert got == [0]
    assert "all 2 GPUs are taken" in capsys.readouterr().err


def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with device("auto") as place:
        assert place.type == "cpu"
    with pytest.raises(GanbenchError, match=r"machine\.device: 'cuda' was asked for"), device("cuda"):
        pass


def test_the_rule_of_fusing_counts_parameters_and_members(tmp_path):
    training = training_of(next(iter(plan(tmp_path).train.values())).slice)
    cpu, work = torch.device("cpu"), forward_work(training)
    architecture = training.architecture
    sizes = [architecture.latent_size, *architecture._widths(training.data), 64]
    layers = sum(a * b for a, b in pairwise(sizes))
    back = [64, *reversed(architecture._widths(training.data)), 1]
    layers += sum(a * b for a, b in pairwise(back))
    assert work == 2 * layers * training.batch_size, "a multiplication and an addition per weight and example"
    assert decide("auto", training, 1, cpu)[0] is False
    assert decide("never", training, 8, cpu) == (False, "the study says fuse: never")
    assert decide("always", training, 8, cpu)[0] is True
    size = parameters(training)
    assert size == layers + sum(sizes[1:]) + sum(back[1:]), "a weight per connection and a bias per unit"
    for members in (2, 4, 8, 100):
        assert decide("auto", training, members, cpu)[0] is (size <= LARGEST_PARAMETERS * (1 - FUSING_COST / members))
    assert decide("auto", training, 2, torch.device("cuda"))[0] is True
