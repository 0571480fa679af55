"""Snapshots in files: the same numbers, bounded memory and checkpoints, through kills, damage and full disks."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from building import CPU, every_step, gan, part, players, toy, training
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import flat, tree_of
from torch import nn

from ganbench.architectures import Architecture
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.tree import Tree
from ganbench.engine.snapshots import HostCopy
from ganbench.engine.train import train
from ganbench.games import Match, Member
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import snapshot_files
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.snapshot_files import SnapshotFiles
from ganbench.pipeline.execution.termination_signals import Stopped, StopRequest
from ganbench.pipeline.jobs import ExecutionSettings, Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse

pytestmark = pytest.mark.cluster

RING = part("dataset", "ring8", examples=200)
WILD = 1e60  # a rate at which a run diverges within a few steps
BUFFERS = [0, 1000, 2**24]  # a file for each snapshot, for some, and for all
BUFFERED = pytest.mark.parametrize("buffer", [BUFFERS[0], pytest.param(BUFFERS[1], marks=pytest.mark.slow), BUFFERS[2]])


class Normalised(Architecture):
    """Networks with buffers."""

    latent_size = 2

    def generator(self, data):
        return nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))

    def discriminator(self, data):
        return nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))


def in_file(path: Path, tree: Tree) -> dict[str, Any]:
    """A tree after it has been written and read."""
    with result_files.create_file(path, "train") as file:
        result_files.write_tree(file.create_group("tree"), tree)
    return flat(tree_of(path, "train"))


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name, strict=True)


# Open files ----------------------------------------------------------------------------------------------------------


def open_here(folder: Path) -> int:
    """The number of files below a folder that this process has open."""
    links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]
    return sum(str(folder) in os.readlink(link) for link in links if link.is_symlink())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted as Linux lists them")
@pytest.mark.parametrize(("most", "opened"), [(128, 6), (2, None)])
def test_files_stay_open_while_results_are_read_and_no_longer(tmp_path, monkeypatch, most, opened):
    calls: list[Path] = []
    real = result_files.open_file
    store, kept = SnapshotFiles(tmp_path, "pack", ["a", "b"]), {}
    for step in range(6):  # a file each
        taken = {"players": {"x": torch.full((2, 3), float(step)), "y": torch.ones(2, 1)}, "buffers": {}}
        kept[step] = store.add(step, {0: 0, 1: 1}, taken)
        store.write()
    monkeypatch.setattr(snapshot_files, "MAX_OPEN", most)
    monkeypatch.setattr(result_files, "open_file", lambda path, kind: calls.append(path) or real(path, kind))
    results = [store.complete(k, store.result({step: names[k] for step, names in kept.items()})) for k in range(2)]
    for result in results:
        assert result["snapshots"]["x"][:].tolist() == [[step] * 3 for step in range(6)]
        assert result["snapshots"]["y"][2:4].tolist() == [[1], [1]]
        assert 0 < open_here(tmp_path) <= most
    assert opened is None or len(calls) == opened, "each file once"
    del result, results
    assert open_here(tmp_path) == 0
    again = store.complete(0, store.result({step: names[0] for step, names in kept.items()}))
    assert again["snapshots"]["x"][5:].tolist() == [[5] * 3]


def test_files_keep_the_arrays_of_one_run_at_a_time(tmp_path, monkeypatch):
    """Of 64 runs in 50 files with 5 arrays each, those of all took 220 MB."""
    known: list[weakref.ref] = []
    real = result_files.read_tree

    def reading(*given: Any, **options: Any) -> Any:
        tree = real(*given, **options)
        known.append(weakref.ref(tree["step"]))
        return tree

    monkeypatch.setattr(result_files, "read_tree", reading)
    names = [str(k) for k in range(5)]
    store, kept = SnapshotFiles(tmp_path, "pack", names), {}
    for step in range(3):
        taken = {"players": {"x": torch.full((5, 3), float(step))}, "buffers": {}}
        kept[step] = store.add(step, {k: k for k in range(5)}, taken)
        store.write()
    results = [store.complete(k, store.result({step: each[k] for step, each in kept.items()})) for k in range(5)]
    for result in results:
        assert result["snapshots"]["x"][:].tolist() == [[step] * 3 for step in range(3)]
    assert sum(ref() is not None for ref in known) == 3, "one for each file"


# The engine with a store in files -------------------------------------------------------------------------------------


@BUFFERED
@pytest.mark.parametrize("kind", ["networks", "toy"])
def test_results_are_those_of_snapshots_in_memory(tmp_path, monkeypatch, buffer, kind):
    monkeypatch.setattr(snapshot_files, "BUFFER", buffer)
    if kind == "networks":
        game = gan(RING.load().train, data=RING.spec, architecture=Normalised())
        members, how = [Member(seed, 100, 1e-3) for seed in range(3)], training(60, ema_decay=0.9)
    else:
        game = toy("linear", matrix=(1.0, 2.0, -2.0, 1.0))
        members, how = players(0.01, WILD, 0.02), every_step(30)
    expected = train(game, how, members, device=CPU)
    store = SnapshotFiles(tmp_path, "pack", ["a", "b", "c"])
    results = train(game, how, members, device=CPU, store=store)
    store.write()
    assert (len(list(tmp_path.rglob("*.h5"))) == 1) == (buffer == BUFFERS[-1])
    assert [result["diverged"] is not None for result in results] == [kind == "toy" and k == 1 for k in range(3)]
    for k, (result, known) in enumerate(zip(results, expected, strict=True)):
        found = in_file(tmp_path / "found", store.complete(k, result))
        assert_same(found, in_file(tmp_path / "known", known))
        assert found["tree/snapshots/step"].max() == (
            how.steps if known["diverged"] is None else known["diverged"][0] - 1
        )


@pytest.mark.slow
def test_one_snapshot_waits_in_memory_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot_files, "BUFFER", 0)
    alive, copies = [], []

    class Watched(HostCopy):
        def __init__(self, taken):
            gc.collect()
            alive.append(sum(copy() is not None for copy in copies))
            super().__init__(taken)
            copies.append(weakref.ref(self))

    monkeypatch.setattr(snapshot_files, "HostCopy", Watched)
    states: list[Tree] = []
    store = SnapshotFiles(tmp_path, "pack", ["a", "b"])
    how = every_step(60)
    train(toy(), how, players(0.1, 0.2), device=CPU, store=store, at_chunk=lambda now: states.append(now.state()))
    assert alive == [0] * 61
    held = [value for value in flat(states[-1]["runs"]).values() if isinstance(value, np.ndarray)]
    assert len(held) == 2 * 3, "the state has the curves alone: minimum, sum and maximum"


def test_parameters_may_change_in_place_after_a_snapshot():
    theta = torch.zeros(2, 3)
    copy = HostCopy({"players": {"x": theta}, "buffers": {}})
    theta += 1
    assert (copy.arrays()["players"]["x"] == 0).all()


@settings(max_examples=20)
@given(
    rows=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    ends=st.tuples(st.integers(0, 25), st.integers(0, 25)),
    wanted=st.sets(st.integers(0, 19), min_size=1),
)
def test_rows_are_found_over_files_and_gaps(tmp_path_factory, rows, ends, wanted):
    """Files of so many steps each, of which some are wanted: any range of these is read from where it lies."""
    folder = tmp_path_factory.mktemp("rows")
    store, kept = SnapshotFiles(folder, "pack", ["a"]), {}
    for step in range(sum(rows)):
        kept[step] = store.add(step, {0: 0}, {"players": {"x": torch.full((1, 2), float(step))}, "buffers": {}})[0]
        if step + 1 in np.cumsum(rows):
            store.write()
    kept = {step: name for step, name in kept.items() if step in wanted} or {0: kept[0]}
    array = store.complete(0, store.result(kept))["snapshots"]["x"]
    expected = np.repeat(np.array(sorted(kept), np.float32)[:, None], 2, axis=1)
    assert array.shape == expected.shape
    np.testing.assert_array_equal(array[ends[0] : ends[1]], expected[ends[0] : ends[1]], strict=True)
    shutil.rmtree(folder)


# Jobs -----------------------------------------------------------------------------------------------------------------

STEPS = 150
STUDY = {
    "study": "toys",
    "grid": [
        {
            "game": {"name": "linear", "matrix": [1.0, 2.0, -2.0, 1.0]},
            "dynamics": "simultaneous",
            "optimizer": "adam",
            "learning_rate": 0.01,
            "seed": [0, 1, 2, 3],
        }
    ],
    "train": {"steps": STEPS, "snapshots": {"count": 31, "spacing": "even"}},
    "pack": {"fuse": "always"},
}
OFTEN, NEVER = (
    ExecutionSettings(device="cpu", checkpoint_seconds=0),
    ExecutionSettings(device="cpu", checkpoint_seconds=1e9),
)


def job_of(place: Path, study: dict[str, Any] = STUDY) -> Job:
    found = Plan(parse(study | {"results": str(place)}, origin="study"))
    results_folder.prepare(found)
    (job,) = found.jobs("train").values()
    return job


def contents(path: Path) -> dict[str, Any]:
    return {
        name: value
        for name, value in flat(tree_of(path)).items()
        if not name.endswith(("/trained_at", "/train_seconds", "/together"))
    }


def files_of(job: Job) -> list[Path]:
    return sorted((job.path.parent / ".resume").glob("*/snapshots/*.h5"))


def end_after(chunks: int) -> StopRequest:
    """Says to end at the chunk after so many."""

    class After(StopRequest):
        asked = -1  # before the first chunk too

        def reason(self, seconds):
            self.asked += 1
            return "enough" if self.asked > chunks else None

    return After()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, Any]:
    job = job_of(tmp_path_factory.mktemp("undisturbed"))
    run(job)
    assert list((job.path.parent / ".resume").iterdir()) == []
    return contents(job.path)


@pytest.fixture
def interrupted(tmp_path, monkeypatch) -> Job:
    """A job that ended at step 75 with a checkpoint, and with a file for each snapshot."""
    monkeypatch.setattr(snapshot_files, "BUFFER", 0)
    job = job_of(tmp_path)
    with pytest.raises(Stopped, match="checkpoint at step 75"):
        run(job, JobContext(NEVER, end_after(2)))
    assert len(files_of(job)) == 75 // 5 + 1
    return job


def run_until_killed(job: Job, steps: int) -> None:
    """Run a job until its process is killed after so many steps, without a checkpoint."""
    real, drawn = Match.draw, [0]

    def short(self, *given):
        drawn[0] += 1
        if drawn[0] > steps:
            raise SystemExit("killed")
        return real(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Match, "draw", short)
        with pytest.raises(SystemExit):
            run(job, JobContext(NEVER))


@BUFFERED
def test_files_written_after_the_last_checkpoint_are_written_again(interrupted, undisturbed, monkeypatch, buffer):
    run_until_killed(interrupted, 60)
    before = {path.name for path in files_of(interrupted)}
    assert len(before) == 134 // 5 + 1, "no checkpoint refers to those after step 75"
    monkeypatch.setattr(snapshot_files, "BUFFER", buffer)
    run_until_killed(interrupted, 30)
    steps = [int(path.stem.rpartition("-")[2]) for path in files_of(interrupted)]
    assert max(steps) <= 105, "what the first attempt left is gone"
    run(interrupted, JobContext(NEVER))
    assert_same(contents(interrupted.path), undisturbed)
    assert list((interrupted.path.parent / ".resume").iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", pytest.param("truncated", marks=pytest.mark.slow), "flipped"])
def test_a_checkpoint_whose_snapshots_are_damaged_is_passed_over(interrupted, undisturbed, capsys, damage):
    path = files_of(interrupted)[3]
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        os.truncate(path, path.stat().st_size // 2)
    else:
        values = next(value for name, value in flat(tree_of(path, "snapshots")).items() if "/players/" in name)
        content = path.read_bytes()
        assert content.count(values.tobytes()) >= 1
        path.write_bytes(content.replace(values.tobytes(), bytes(values.nbytes), 1))
    capsys.readouterr()
    run(interrupted)
    log = capsys.readouterr().err
    assert log.count("It is passed over.") == 1
    assert path.name in log
    assert "goes on from" not in log
    assert_same(contents(interrupted.path), undisturbed)


@pytest.mark.cluster
def test_snapshots_damaged_before_the_result_is_written_are_an_error_and_made_again(
    interrupted, undisturbed, monkeypatch
):
    complete = SnapshotFiles.complete

    def damaged(*given):
        path = files_of(interrupted)[3]
        path.write_bytes(path.read_bytes()[:-64])
        return complete(*given)

    with monkeypatch.context() as patch:
        patch.setattr(SnapshotFiles, "complete", damaged)
        with pytest.raises(GanbenchError, match=r"snapshots/.*-\d+\.h5 is truncated"):
            run(interrupted)
    assert not interrupted.path.exists()
    run(interrupted)
    assert_same(contents(interrupted.path), undisturbed)


@pytest.mark.cluster
def test_a_full_disk_is_one_clear_error_and_costs_no_checkpoint(interrupted, undisturbed, monkeypatch):
    create = result_files.create_file

    def full(path, kind):
        if path.name.endswith("-100.h5"):
            raise GanbenchError(result_files._write_error(path, OSError(errno.ENOSPC, "No space left on device")))
        return create(path, kind)

    with monkeypatch.context() as patch:
        patch.setattr(result_files, "create_file", full)
        with pytest.raises(GanbenchError, match=r"no space is left on the disk of .*-100\.h5 was not written"):
            run(interrupted, JobContext(OFTEN))
    run(interrupted)
    assert_same(contents(interrupted.path), undisturbed)


@pytest.mark.slow
def test_halves_go_on_with_the_snapshots_of_the_whole(interrupted, undisturbed, monkeypatch):
    """Killed once more after the split: the halves' checkpoints refer to files of both."""
    real, drawn = Match.draw, [0]

    def narrow(self, *given):
        drawn[0] += 1
        if len(self.members) > 2 and drawn[0] > 30:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        if drawn[0] > 90:
            raise SystemExit("killed")
        return real(self, *given)

    with monkeypatch.context() as patch, suppress(SystemExit):
        patch.setattr(Match, "draw", narrow)
        run(interrupted, JobContext(OFTEN))
    names = {path.stem.rpartition("-")[0] for path in files_of(interrupted)}
    assert len(names) >= 2, "of the whole and of a half"
    run(interrupted)
    found = contents(interrupted.path)
    for name, value in undisturbed.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert list((interrupted.path.parent / ".resume").iterdir()) == []


@pytest.mark.slow
def test_checkpoints_are_as_large_as_the_state_whatever_the_number_of_snapshots(tmp_path):
    """A snapshot of these networks is much larger than what a checkpoint says of it."""
    sizes = {}
    for count in (2, 9):
        grid = {"dataset": "ring8", "architecture": {"name": "mlp", "width": 64}, "learning_rate": 1e-3, "seed": [0, 1]}
        train = {"steps": 60, "batch_size": 8, "snapshots": {"count": count, "spacing": "even"}}
        study = {"study": "s", "grid": [grid], "train": train, "results": str(tmp_path / str(count))}
        found = Plan(parse(study, origin="study"))
        results_folder.prepare(found)
        for job in [*found.prepare.values(), *found.train.values()]:
            with suppress(Stopped):
                run(job, JobContext(NEVER, end_after(1) if job.stage == "train" else None))
        (checkpoint,) = (job.path.parent / ".resume").glob("*/*.h5")
        sizes[count] = checkpoint.stat().st_size
        run(job, JobContext(NEVER))
        held = flat(tree_of(job.path))
        snapshot = sum(each[0].nbytes for name, each in held.items() if name.endswith(("/discriminator", "/generator")))
    assert snapshot > 50_000, "of two runs"
    assert abs(sizes[9] - sizes[2]) < 1000
