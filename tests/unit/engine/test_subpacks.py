"""Packs and memory: what does not fit trains in subpacks, nothing computed is lost, and the numbers stay the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from awkward_networks import network
from building import CPU, every_step, gan, part, players, toy, training
from hypothesis import given
from hypothesis import strategies as st
from repository import ROOT
from stored import tree_of
from torch import nn

from ganbench.architectures import Architecture
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError, out_of_memory
from ganbench.diagnostics.path import TrainingPath
from ganbench.dynamics import explain_autograd_error, gradient
from ganbench.dynamics.simultaneous import Simultaneous
from ganbench.engine import subpacks
from ganbench.engine.out_of_memory import OutOfMemory, OutOfMemoryGuard
from ganbench.engine.resuming import part_of
from ganbench.engine.train import train
from ganbench.games import Match, Member
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import pack_trainer
from ganbench.pipeline.execution.checkpoints import Checkpoint
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.termination_signals import Stopped, StopRequest
from ganbench.pipeline.jobs import ExecutionSettings
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import run
from ganbench.pipeline.typed_json import encode
from ganbench.study.schema import parse

NO_ROOM = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"
STEPS = 60


def close(one: dict, other: dict, tolerance: float) -> None:
    """The results of two trainings of a run agree."""
    assert (one["diverged"], one["steps_done"]) == (other["diverged"], other["steps_done"])
    for group in ("curves", "snapshots"):
        assert one[group].keys() == other[group].keys()
        for name in one[group].keys() - {"series"}:
            np.testing.assert_allclose(one[group][name], other[group][name], rtol=tolerance, atol=tolerance)


# What an allocator says -----------------------------------------------------------------------------------------------


def test_allocators_are_understood():
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**45)
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(2**50)
    with pytest.raises(RuntimeError) as passed_on, explain_autograd_error("derivative"):  # which is not what is lacking
        torch.empty(2**45)
    for caught in (of_torch, of_numpy, passed_on):
        assert "allocate" in out_of_memory(caught.value)
    on_gpu = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")
    assert out_of_memory(on_gpu).endswith("2 GiB.")
    assert out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    assert out_of_memory(MemoryError())


@pytest.mark.parametrize("error", [ValueError("out of memory"), RuntimeError("shape"), GanbenchError("lacks a seed")])
def test_other_errors_are_not_taken_for_a_lack_of_memory(error):
    assert out_of_memory(error) is None
    with pytest.raises(type(error), match=str(error)), OutOfMemoryGuard():
        raise error


# The engine: nothing is lost ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Narrow(Simultaneous):
    """Simultaneous steps that lack memory for more than so many members from a step on."""

    most: int = 2
    since: int = 0

    def step(self, match, players, states, batches, optimizer, rates):
        count = next(iter(states.values()))["count"]
        if len(match.members) > self.most and int(count[0]) >= self.since:
            raise RuntimeError(NO_ROOM)
        result = super().step(match, players, states, batches, optimizer, rates)
        counted = {player: {**state, "count": count + 1} for player, state in result.states.items()}
        return replace(result, states=counted)

    def init(self, match, players, optimizer):
        kept = super().init(match, players, optimizer)
        nothing = torch.zeros(len(match.members), 1)
        return {player: {**state, "count": nothing} for player, state in kept.items()}


FOCUS = toy("linear", matrix=(1.0, 2.0, -2.0, 1.0))
WILD = 1e60  # a rate at which a run diverges within a few steps


def narrow(most: int, since: int):
    return every_step(STEPS, dynamics=Narrow(most=most, since=since), optimizer=part("optimizer", "sgd", momentum=0.5))


def through(game, shared, members, device=CPU):
    """Train, in halves where memory runs out; the results, and where it ran out for how many."""
    events = []

    def some(members, state):
        try:
            return train(game, shared, members, device=device, resume=state)
        except OutOfMemory as error:
            state = error.state
        events.append((len(members), None if state is None else state["step"]))
        sizes = subpacks.halved_sizes(len(members), state)
        assert sum(sizes) == len(members)
        assert min(sizes) > 0
        first, results = 0, []
        for size in sizes:
            its = range(first, first := first + size)
            results += some([members[k] for k in its], None if state is None else part_of(state, its))
        return results

    return some(list(members), None), events


@pytest.mark.parametrize("since", [0, 1, 24, 25, 37, 59])
def test_a_pack_that_runs_out_of_memory_goes_on_in_halves_from_that_very_step(since):
    members = players(0.01, 0.02, WILD, 0.03, 0.04, WILD, 0.05)
    whole = train(FOCUS, narrow(99, 0), members, device=CPU)
    assert [result["diverged"] is not None for result in whole] == [
        rate == WILD for rate in [m.learning_rate for m in members]
    ]
    parts, events = through(FOCUS, narrow(2, since), members)
    again, _ = through(FOCUS, narrow(2, since), members)
    assert events[0] == (7, since), "all steps before are kept"
    # The wild ones are gone after the first chunk, so five are left to be halved: 3 + 2, and the 3 once more.
    assert len(events) >= 2
    assert all(step == since for _, step in events), "the halves lose no step either"
    for one, other, third in zip(whole, parts, again, strict=True):
        close(one, other, 1e-12)
        close(other, third, 0)


class Late(Narrow):
    """Steps that lack memory only after the first player's loss."""

    def step(self, match, players, states, batches, optimizer, rates):
        gradient(match, match.players[0], players, batches[0])
        return super().step(match, players, states, batches, optimizer, rates)


class Normalised(Architecture):
    """Networks that change their buffers in every pass."""

    latent_size = 2

    def generator(self, data):
        return network("running batch norm", 2, 2)

    def discriminator(self, data):
        return nn.Sequential(network("running batch norm", 2, 1), nn.Flatten(0))


@pytest.mark.cluster
def test_what_a_step_did_to_buffers_before_memory_ran_out_is_undone():
    game = gan(RING.load().train, data=RING.spec, architecture=Normalised())
    members = [Member(seed, 100, 1e-3) for seed in range(2)]
    shared = training(40, dynamics=Late(most=1, since=30), optimizer=part("optimizer", "sgd"))
    whole = train(game, replace(shared, dynamics=Late(most=99)), members, device=CPU)
    parts, events = through(game, shared, members)
    assert events == [(2, 30)]
    for one, other in zip(whole, parts, strict=True):
        close(one, other, 1e-12)
        for name, values in one["buffers"].items():
            np.testing.assert_allclose(values, other["buffers"][name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_memory_that_runs_out_before_the_first_step_loses_nothing(monkeypatch):
    members, shared = players(0.01, 0.02, 0.03), every_step(5)
    whole = train(FOCUS, shared, members, device=CPU)
    init = Match.init
    monkeypatch.setattr(Match, "init", lambda self: init(self) if len(self.members) < 2 else torch.empty(2**45))
    parts, events = through(FOCUS, shared, members)
    assert events == [(3, None), (2, None)]
    for one, other in zip(whole, parts, strict=True):
        close(one, other, 1e-12)


def test_memory_that_runs_out_while_a_snapshot_is_taken_loses_neither_step_nor_snapshot(monkeypatch):
    members, shared, asked = players(0.01, 0.02), every_step(5), []
    whole = train(FOCUS, shared, members, device=CPU)
    answer = Simultaneous.snapshot

    def short(self, players, states):
        asked.append(len(players["x"]))
        if asked == [2, 2, 2]:  # after the second step
            raise MemoryError
        return answer(self, players, states)

    monkeypatch.setattr(Simultaneous, "snapshot", short)
    parts, events = through(FOCUS, shared, members)
    assert events == [(2, 1)]
    for one, other in zip(whole, parts, strict=True):
        close(one, other, 1e-12)


def test_what_a_step_allocated_before_it_failed_is_free_when_the_error_arrives():
    """On a GPU the halves start where the whole has just filled the memory."""
    held = []

    @dataclass(frozen=True)
    class Greedy(Simultaneous):
        def step(self, *given):
            large = torch.zeros(1000)
            held.append(weakref.ref(large))
            with explain_autograd_error("derivative"):  # as every dynamics does, around what fails first
                raise RuntimeError(NO_ROOM)

    with pytest.raises(OutOfMemory) as caught:
        train(FOCUS, every_step(3, dynamics=Greedy()), players(0.1), device=CPU)
    assert [large() for large in held] == [None]
    assert caught.value.state["step"] == 0
    assert not isinstance(caught.value.__context__, RuntimeError), "the allocator's error holds what it was raised over"


# How many fit ---------------------------------------------------------------------------------------------------------


@given(count=st.integers(1, 200), most=st.integers(1, 200))
def test_subpacks_are_few_and_even(count, most):
    sizes = subpacks.even_sizes(count, most)
    assert sum(sizes) == count
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert (len(sizes) - 1) * most < count, "one subpack fewer would not do"


@given(alive=st.lists(st.booleans(), min_size=1, max_size=30))
def test_halves_share_the_members_still_training(alive):
    places = [k for k, here in enumerate(alive) if here]
    sizes = subpacks.halved_sizes(len(alive), {"alive": places})
    assert sum(sizes) == len(alive)
    if len(places) > 1:
        first = sum(k < sizes[0] for k in places)
        assert abs(2 * first - len(places)) <= 1
    else:
        assert len(sizes) == 1


@dataclass
class Tank:
    """A GPU's memory in which a member takes so many bytes."""

    each: float
    left: float
    total: float = 2.0**40
    measured: int = 0

    def free(self):
        return self.left

    def peak(self, work):
        self.measured += 1
        work()
        return subpacks.MEASURED * self.each


RING = part("dataset", "ring8", examples=100)


def networks():
    built = part("architecture", "mlp", width=8)
    return gan(RING.load().train, data=RING.spec, architecture=built)


def ringed(count: int) -> list[Member]:
    return [Member(seed, 100, 1e-3) for seed in range(count)]


@pytest.mark.parametrize(("free", "most"), [(100, 8), (90, 7), (24, 2), (12, 1), (5, 1)])
def test_subpacks_are_sized_by_what_a_member_takes(free, most):
    tank = Tank(each=10, left=free)
    fit, why = subpacks.largest_subpack(networks(), training(), ringed(8), CPU, tank)
    assert fit == max(1, min(8, int(subpacks.SHARE * free // 10))) == most
    assert tank.measured == 1
    assert "a run needs" in why


def test_what_plainly_fits_and_what_nobody_knows_is_not_measured():
    game, shared = networks(), training()
    need = subpacks.memory_bound(game, shared, ringed(1)[0])
    for left, measured in ((8 * need / subpacks.SMALL * 1.01, 0), (8 * need / subpacks.SMALL * 0.99, 1)):
        tank = Tank(each=1, left=left)
        assert subpacks.largest_subpack(game, shared, ringed(8), CPU, tank)[0] == 8
        assert tank.measured == measured
    assert subpacks.largest_subpack(game, shared, ringed(8), CPU, None) == (8, "")
    full = Tank(each=1, left=0)
    assert subpacks.largest_subpack(game, shared, ringed(1), CPU, full) == (1, "")
    assert full.measured == 0, "a single run is not measured: it is tried"
    assert subpacks.device_memory(CPU) is None


@pytest.mark.parametrize(
    ("architecture", "options", "dataset"), [("dcgan", {"base_channels": 4}, "digits"), ("mlp", {}, "ring8")]
)
def test_the_bound_is_above_what_a_step_takes(architecture, options, dataset):
    """Bytes that are allocated at a time, as the profiler counts them, for one member and for the next one."""
    data = part("dataset", dataset)
    game = gan(data.load().train, data=data.spec, architecture=part("architecture", architecture, **options))
    shared = training(2)

    def most(count: int) -> int:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
            train(game, shared, [Member(k, 50, 1e-3) for k in range(count)], device=CPU)
        events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
        held = np.cumsum([e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())])
        return int(held.max())

    assert most(3) - most(2) < subpacks.memory_bound(game, shared, Member(0, 50, 1e-3))


def test_members_that_do_not_even_fit_to_be_measured_train_alone():
    class Full(Tank):
        def peak(self, work):
            raise OutOfMemory("no room", None)

    fit, why = subpacks.largest_subpack(networks(), training(), ringed(8), CPU, Full(1, 100))
    assert fit == 1
    assert "do not fit into the" in why


def test_a_gpu_is_asked_for_what_is_free_and_what_some_work_has_taken(monkeypatch):
    """The few calls of torch.cuda, faked: a device with 100 bytes, of which others hold 30 and we 20, 15 of it idle."""
    state = SimpleNamespace(held=5, peak=5)

    def work():
        state.peak = 45
        state.held = 5

    fakes = {
        "get_device_properties": lambda _: SimpleNamespace(total_memory=100),
        "mem_get_info": lambda _: (50, 100),
        "memory_reserved": lambda _: 20,
        "memory_allocated": lambda _: state.held,
        "max_memory_allocated": lambda _: state.peak,
        "reset_peak_memory_stats": lambda _: setattr(state, "peak", state.held),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    memory = subpacks.device_memory(torch.device("cuda"))
    assert (memory.total, memory.free()) == (100, 65)
    state.peak = 99  # of earlier work
    assert memory.peak(work) == 40
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    subpacks.release(torch.device("cuda"))
    assert emptied == [True]


# The stage ------------------------------------------------------------------------------------------------------------


TOYS = {
    "study": "toys",
    "grid": [
        {
            "game": {"name": "linear", "matrix": [1.0, 2.0, -2.0, 1.0]},
            "dynamics": "simultaneous",
            "optimizer": "sgd",
            "learning_rate": [0.01, 0.02],
            "seed": [0, 1, 2, 3],
        }
    ],
    "train": {"steps": STEPS, "precision": "float64", "snapshots": {"count": 5}},
    "pack": {"axes": ["seed", "learning_rate"], "fuse": "always"},
}


def job_of(place: Path, study: dict = TOYS):
    found = Plan(parse(study | {"results": str(place)}, origin="study"))
    results_folder.prepare(found)
    for stage in ("prepare", "train"):
        for job in found.jobs(stage).values():
            if stage == "train":
                return job
            run(job)


def results_of(path: Path) -> dict[str, dict]:
    return tree_of(path, "train")["runs"]


def compare(one: Path, other: Path, tolerance: float) -> None:
    ones, others = results_of(one), results_of(other)
    assert ones.keys() == others.keys()
    for digest in ones:
        close(ones[digest], others[digest], tolerance)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    job = job_of(tmp_path_factory.mktemp("undisturbed"))
    run(job)
    assert {tree["about"]["together"] for tree in results_of(job.path).values()} == {8}
    return job.path


@pytest.fixture
def sizes(monkeypatch) -> list[tuple[int, int]]:
    """Of every call of the engine: how many members it trains, and from which step on."""
    calls, real = [], pack_trainer.train

    def counted(game, training, members, *, resume, **how):
        calls.append((len(members), 0 if resume is None else resume["step"]))
        return real(game, training, members, resume=resume, **how)

    monkeypatch.setattr(pack_trainer, "train", counted)
    return calls


@pytest.fixture
def narrowed(monkeypatch):
    """Makes simultaneous steps lack memory, for more members than this, from this call on."""

    def narrow(most: int, since: int) -> None:
        step, done = Simultaneous.step, [0]

        def short(self, match, *given):
            if len(match.members) > most and done[0] >= since:
                raise RuntimeError(NO_ROOM)
            done[0] += 1
            return step(self, match, *given)

        monkeypatch.setattr(Simultaneous, "step", short)

    return narrow


def test_the_stage_splits_a_pack_that_runs_out_of_memory(tmp_path, undisturbed, sizes, narrowed, capsys):
    job = job_of(tmp_path)
    narrowed(2, 37)
    run(job)
    assert sizes == [(8, 0), (4, 37), (2, 37), (2, 37), (4, 37), (2, 37), (2, 37)]
    compare(job.path, undisturbed, 1e-12)
    trees = results_of(job.path)
    assert {tree["about"]["together"] for tree in trees.values()} == {2}
    assert {tree["about"]["fused"] for tree in trees.values()} == {True}
    log = capsys.readouterr().err
    assert "memory ran out after step 37 of 8 runs" in log
    assert "you tried to allocate 9" in log
    assert "they go on as 4 + 4" in log
    assert list((job.path.parent / ".resume").iterdir()) == []


def stopping_after(chunks: int) -> StopRequest:
    """Says to end at the chunk after so many."""

    class After(StopRequest):
        asked = 0

        def reason(self, seconds):
            self.asked += 1
            return "enough" if self.asked > chunks else None

    return After()


def test_a_job_that_was_split_and_interrupted_goes_straight_to_its_parts(
    tmp_path, undisturbed, sizes, narrowed, capsys
):
    job = job_of(tmp_path)
    narrowed(4, 30)
    # Asked before a subpack and at each of its chunks: 8 members at 0 and 25, 4 at 30 and 50, 4 at 30, 50: there it
    # ends.
    with pytest.raises(Stopped, match=r"stopped: enough; checkpoint at step 50; the next attempt goes on"):
        run(job, JobContext(stopping=stopping_after(5)))
    assert sizes == [(8, 0), (4, 30), (4, 30)]
    log = capsys.readouterr().err
    sizes.clear()
    run(job)
    assert sizes == [(4, 50)], "the first half is done, the second goes on"
    assert "4 runs: goes on from step 50 of 60 (checkpoint of 20" in capsys.readouterr().err
    assert "goes on as" not in log
    compare(job.path, undisturbed, 1e-12)


def test_what_a_subpack_held_is_free_before_its_halves_begin(tmp_path, monkeypatch):
    """On a GPU the halves would not fit beside it."""
    job, step, release, held, free = job_of(tmp_path), Simultaneous.step, subpacks.release, [], []

    def short(self, match, players, *given):
        if len(match.members) > 4:
            held.extend(weakref.ref(theta) for theta in players.values())
            raise RuntimeError(NO_ROOM)
        return step(self, match, players, *given)

    def released(place):
        free.append([theta() is None for theta in held])
        release(place)

    monkeypatch.setattr(Simultaneous, "step", short)
    monkeypatch.setattr(subpacks, "release", released)
    run(job)
    assert free == [[True, True]]


def test_progress_counts_what_was_done_before_as_done(tmp_path, narrowed):
    job = job_of(tmp_path)
    narrowed(4, 30)
    told = []

    class Telling(JobContext):
        @contextmanager
        def progress(self, what, total, unit, done=0):
            told.append((total, done))
            yield told.append

    with pytest.raises(Stopped):
        run(job, Telling(stopping=stopping_after(5)))
    assert told[0] == (8 * STEPS, 0)
    assert told[1:] == [8 * 25, 4 * 50 + 4 * 25, 4 * 60 + 4 * 25, 4 * 60 + 4 * 50]
    told.clear()
    run(job, Telling())
    assert told == [(8 * STEPS, 4 * 60 + 4 * 50), 8 * STEPS]


def test_a_single_run_that_does_not_fit_is_named_and_keeps_what_it_has(
    tmp_path, narrowed, sizes, undisturbed, monkeypatch
):
    job = job_of(tmp_path)
    with monkeypatch.context() as patch:
        step, done = Simultaneous.step, [0]

        def short(self, match, *given):
            done[0] += 1
            if done[0] > (40 if len(match.members) == 1 else 30):
                raise RuntimeError(NO_ROOM)
            return step(self, match, *given)

        patch.setattr(Simultaneous, "step", short)
        first = job.task.members[0].id
        with pytest.raises(MemoryError) as caught:
            run(job)
    assert isinstance(caught.value, GanbenchError), "a message, not a traceback"
    text = str(caught.value)
    assert f"{first} alone does not fit into main memory: memory ran out after step 37" in text
    assert "you tried to allocate 9" in text
    assert "train.batch_size" in text
    sizes.clear()
    run(job)
    assert sizes == [(1, 37), (1, 30), (2, 30), (4, 30)], "with more memory it goes on from there"
    compare(job.path, undisturbed, 1e-12)


def test_a_run_that_no_gpu_holds_says_what_the_gpu_has(tmp_path, monkeypatch):
    job = job_of(tmp_path)
    monkeypatch.setattr(subpacks, "device_memory", lambda _: Tank(each=1.0, left=2.0**40, total=8 * 2.0**30))
    monkeypatch.setattr(Match, "init", lambda _: torch.empty(2**45))
    with pytest.raises(GanbenchError) as caught:
        run(job)
    assert not isinstance(caught.value, MemoryError), "more main memory is of no help"
    assert "does not fit into the 8 GiB of cpu: memory ran out before the first step" in str(caught.value)
    assert "larger GPU" in str(caught.value)


def test_subpacks_foreseen_are_recorded_and_kept_by_later_attempts(tmp_path, undisturbed, monkeypatch, sizes, capsys):
    job = job_of(tmp_path)
    tank = Tank(each=10.0, left=40.0)
    monkeypatch.setattr(subpacks, "device_memory", lambda _: tank)
    with pytest.raises(Stopped):
        run(job, JobContext(stopping=stopping_after(5)))
    assert "8 runs in subpacks of 3 + 3 + 2: a run needs" in capsys.readouterr().err
    tank.left = 1000.0  # another GPU, or others have left it
    run(job)
    assert tank.measured == 1
    assert sizes == [(3, 0), (3, 0), (3, 50), (2, 0)]
    compare(job.path, undisturbed, 1e-12)
    assert sorted(tree["about"]["together"] for tree in results_of(job.path).values()) == [2, 2, 3, 3, 3, 3, 3, 3]


def test_halves_of_an_interrupted_split_do_not_count_until_the_whole_says_so(
    tmp_path, undisturbed, narrowed, monkeypatch, sizes
):
    """Killed between the halves' checkpoints and the whole's: its own state is what counts."""
    job = job_of(tmp_path)
    narrowed(4, 30)
    save = Checkpoint.save

    def killed(self, **what):
        if "split" in what:
            raise SystemExit("killed")
        save(self, **what)

    monkeypatch.setattr(Checkpoint, "save", killed)
    with pytest.raises(SystemExit):
        run(job, JobContext(ExecutionSettings(checkpoint_seconds=0)))
    monkeypatch.setattr(Checkpoint, "save", save)
    sizes.clear()
    run(job)
    assert sizes[0] == (8, 25)
    compare(job.path, undisturbed, 1e-12)


# Really -------------------------------------------------------------------------------------------------------------


NETWORKS = {
    "study": "large",
    "grid": [
        {
            "dataset": "ring8",
            "architecture": "mlp",
            "n_train": "all",
            "learning_rate": [1e-3, 5e-4],
            "seed": [0, 1, 2, 3],
        }
    ],
    "train": {"steps": 8, "precision": "float64", "batch_size": 1024, "snapshots": {"count": 3}},
    "pack": {"axes": ["seed", "learning_rate"], "fuse": "always"},
}
LIMITED = """
import json, resource, sys
from dataclasses import replace
from pathlib import Path

import torch

from ganbench.pipeline.jobs import Job
from ganbench.pipeline.stages import run
from ganbench.pipeline.typed_json import decode

job, room = decode(Job, json.loads(Path(sys.argv[1]).read_text())), float(sys.argv[2])
task = replace(job.task, members=job.task.members[:1], train=job.task.train | {"steps": 1})
warm = job.path.parent.parent / "warm" / job.path.name
run(replace(job, task=task, outputs=(warm,)))  # libraries are loaded as they are needed
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (int(used + room * 2**20),) * 2)
run(job)
"""


@pytest.mark.slow
def test_a_pack_larger_than_the_memory_there_is_trains_in_parts(tmp_path):
    job = job_of(tmp_path / "whole", NETWORKS)
    run(job)
    script, told, path = (
        tmp_path / "limited.py",
        tmp_path / "job.json",
        tmp_path / "limited" / "train" / job.path.name,
    )
    script.write_text(LIMITED)
    told.write_text(json.dumps(encode(replace(job, outputs=(path,)))))
    done = subprocess.run(
        [sys.executable, str(script), str(told), "50"],
        cwd=ROOT,
        # Large arrays are given back at once, so that it is not the heap's gaps that decide what fits.
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "memory ran out" in done.stderr
    compare(job.path, path, 1e-9)
    together = {run["about"]["together"] for run in results_of(path).values()}
    assert max(together) < 8


# Diagnosis ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def looked(tmp_path, monkeypatch):
    """Looks at eight runs with memory for all of them, then again for so many at once; the second job, the
    file of the first, and the sizes of the looks to come."""
    found = Plan(parse(TOYS | {"results": str(tmp_path), "diagnose": [{"diagnostic": "path"}]}, origin="study"))
    results_folder.prepare(found)
    for stage in ("train", "diagnose"):
        (job,) = found.jobs(stage).values()
        run(job)
    sizes, measure = [], TrainingPath.measure

    def narrow(most: int):
        def short(self, trajectories):
            sizes.append(len(trajectories.match.members))
            if sizes[-1] > most:
                raise RuntimeError(NO_ROOM)
            return measure(self, trajectories)

        monkeypatch.setattr(TrainingPath, "measure", short)
        return replace(job, outputs=(tmp_path / "again" / job.path.name,)), job.path, sizes

    return narrow


def test_runs_that_cannot_be_looked_at_together_are_looked_at_in_halves(looked, capsys):
    job, whole, sizes = looked(3)
    run(job)
    assert sizes == [8, 4, 2, 2, 4, 2, 2]
    assert "memory ran out for 8 runs ([enforce fail" in (log := capsys.readouterr().err)
    assert "they are measured as 4 + 4" in log
    with result_files.open_file(whole, "diagnose") as one, result_files.open_file(job.path, "diagnose") as other:
        assert list(one["runs"]) == list(other["runs"])
        for digest in one["runs"]:
            ours, others = (result_files.read_tree(file["runs"][digest]) for file in (one, other))
            assert ours["member"] == others["member"]
            assert ours["values"] == pytest.approx(others["values"], rel=1e-12, nan_ok=True)
            for name, values in ours["arrays"].items():
                np.testing.assert_allclose(values, others["arrays"][name], rtol=1e-12)


def test_a_single_run_that_cannot_be_looked_at_is_named(looked, monkeypatch):
    job, _, sizes = looked(0)
    with pytest.raises(MemoryError, match="alone does not fit into main memory: memory ran out for 1 run") as caught:
        run(job)
    assert isinstance(caught.value, GanbenchError), "a message, not a traceback"
    assert str(caught.value).startswith("path:")
    assert sizes == [8, 4, 2, 1]
    monkeypatch.setattr(subpacks, "device_memory", lambda _: Tank(each=1.0, left=2.0**40, total=8 * 2.0**30))
    with pytest.raises(GanbenchError, match=r"the 8 GiB of cpu: .* leave this experiment out") as caught:
        run(job)
    assert not isinstance(caught.value, MemoryError), "more main memory is of no help"
