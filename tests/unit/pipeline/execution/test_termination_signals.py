"""Long training under short limits: signals, the end of a job's time, checkpoints, and going on from them."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored import flat, tree_of

from benchmarks import checkpoints as bench
from ganbench.core import result_files
from ganbench.dynamics.simultaneous import Simultaneous
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import checkpoints, result_cache
from ganbench.pipeline.execution.checkpoints import (
    ENDING_SECONDS,
    SLOW_DISK,
    SPARING,
    WARY,
    Checkpoint,
    CheckpointSchedule,
)
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.termination_signals import SIGNALS, Stopped, StopRequest
from ganbench.pipeline.jobs import ExecutionSettings
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.stages import diagnose as diagnose_stage
from ganbench.pipeline.stages import evaluate as evaluate_stage
from ganbench.pipeline.stages import run, train
from ganbench.study.schema import parse

pytestmark = pytest.mark.cluster

STEPS = 200
STUDY = {
    "study": "toys",
    "grid": [
        {
            "game": "dirac",
            "dynamics": "simultaneous",
            "optimizer": "adam",
            "learning_rate": 0.01,
            "seed": [0, 1, 2],
        }
    ],
    "train": {"steps": STEPS, "snapshots": {"count": 5}},
    "pack": {"fuse": "always", "execution": "eager"},  # tests have things happen in a step's Python
}


def job_of(place: Path, **pack: str):
    found = Plan(parse(STUDY | {"results": str(place), "pack": STUDY["pack"] | pack}, origin="study"))
    results_folder.prepare(found)
    (job,) = found.jobs("train").values()
    return job


def contents(path: Path, stage: str = "train") -> dict[str, np.ndarray]:
    """Every array of a file of results, by its place, and every number that is no clock."""
    found = flat(tree_of(path, stage))
    clocks = ("/trained_at", "/train_seconds", "/about/seconds")
    return {name: value for name, value in found.items() if not name.endswith(clocks)}


def assert_same(one: Path, other: Path, stage: str = "train") -> None:
    ones, others = contents(one, stage), contents(other, stage)
    assert ones.keys() == others.keys()
    for name, value in ones.items():
        np.testing.assert_array_equal(value, others[name], err_msg=name, strict=True)


@pytest.fixture
def at_step(monkeypatch):
    """Has something happen before a step, counted from now."""

    def at(number: int, happen) -> None:
        step, taken = Simultaneous.step, [0]

        def watched(*given):
            taken[0] += 1
            if taken[0] == number:
                happen()
            return step(*given)

        monkeypatch.setattr(Simultaneous, "step", watched)

    return at


def send(number: int):
    return lambda: os.kill(os.getpid(), number)


# Signals --------------------------------------------------------------------------------------------------------------


def test_only_the_first_signal_interrupts():
    """Who stops a workflow sends two: the terminal's to all, and Snakemake's to its jobs."""
    stopping, tidied = StopRequest(), []

    def work():
        try:
            send(signal.SIGINT)()
        finally:
            send(signal.SIGTERM)()
            tidied.append(True)

    with stopping.listening(), pytest.raises(Stopped, match="received SIGINT"):
        work()
    assert tidied == [True]
    assert stopping.reason(0) == "received SIGINT"


def test_who_ends_for_a_signal_that_was_noted_is_not_interrupted_by_another():
    stopping, tidied = StopRequest(), []

    def work():
        with stopping.deferred():
            send(signal.SIGTERM)()
            ending = stopping.stop(stopping.reason(0), "all is kept")
        send(signal.SIGTERM)()
        tidied.append(True)
        raise ending

    with stopping.listening(), pytest.raises(Stopped, match="stopped: received SIGTERM; all is kept"):
        work()
    assert tidied == [True]


def test_blocks_that_defer_may_lie_in_each_other():
    stopping, done = StopRequest(), []
    with stopping.listening(), stopping.deferred():
        with stopping.deferred():
            pass
        send(signal.SIGTERM)()
        done.append(stopping.reason(0))
    assert done == ["received SIGTERM"]


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("fuse", ["always", "never"])
def test_training_that_is_told_to_end_keeps_a_checkpoint_and_goes_on_bit_for_bit(
    tmp_path, at_step, capsys, number, fuse
):
    undisturbed, job = job_of(tmp_path / "undisturbed", fuse=fuse), job_of(tmp_path / "disturbed", fuse=fuse)
    run(undisturbed)
    # In the third chunk; of runs that train one by one, in the third chunk of the second one.
    at_step(60 if fuse == "always" else STEPS + 60, send(number))
    stopping = StopRequest()
    with stopping.listening(), pytest.raises(Stopped) as stopped:
        run(job, JobContext(stopping=stopping))
    told = f"received {signal.Signals(number).name}; checkpoint at step 75; the next attempt goes on from there"
    assert told in str(stopped.value)
    assert not stopped.value.of_time
    assert not job.path.exists()
    assert len(list((job.path.parent / ".resume").glob("*/*.h5"))) == (1 if fuse == "always" else 2)
    capsys.readouterr()
    run(job)
    log = capsys.readouterr().err
    runs = "3 runs" if fuse == "always" else "1 run"
    assert re.search(
        rf"^{runs}: goes on from step 75 of 200 \(checkpoint of \d{{4}}-\d\d-\d\dT.*\)$", log, re.MULTILINE
    )
    assert log.count("goes on from step") == 1
    assert_same(job.path, undisturbed.path)


def test_a_signal_in_the_last_chunk_is_no_reason_to_leave_the_result_unwritten(tmp_path, at_step):
    job = job_of(tmp_path)
    at_step(STEPS, send(signal.SIGTERM))
    stopping = StopRequest()
    with stopping.listening():
        run(job, JobContext(stopping=stopping))
    assert stopping.reason(0)
    assert job.path.exists()


def test_no_wave_begins_after_a_signal_in_the_last_chunk_of_another(tmp_path, at_step):
    job = job_of(tmp_path, fuse="never")
    at_step(STEPS, send(signal.SIGTERM))
    at_step(STEPS + 1, lambda: pytest.fail("the second run began"))
    stopping = StopRequest()
    with stopping.listening(), pytest.raises(Stopped, match="what is finished is kept"):
        run(job, JobContext(stopping=stopping))


@pytest.mark.slow
def test_a_file_that_is_written_when_a_signal_comes_is_whole_and_leaves_nothing_behind(tmp_path):
    """Signals before every line of writing: the file holds all that it held, or all that is new."""
    path = tmp_path / "file.h5"

    def write(value: float, interrupted_at: int) -> int:
        """Write a file of a value, with a signal before one of the lines that do it; returns how many there were."""
        lines = 0

        def trace(frame, event, _):
            nonlocal lines
            watched = ("core/result_files.py", "core/hdf5.py", "contextlib.py", "h5py")
            if not any(part in frame.f_code.co_filename for part in watched):
                return None
            lines += event == "line"
            if event == "line" and lines == interrupted_at:
                send(signal.SIGTERM)()
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            with result_files.create_file(path, "resume") as file:
                result_files.write_tree(file.create_group("saved"), {"state": {"a": np.full(5, value)}, "b": value})
        finally:
            sys.settrace(before)
        return lines

    count, held, outcomes = write(0.0, -1), 0.0, set()
    for line in range(1, count + 1):
        stopping = StopRequest()
        with stopping.listening(), suppress(Stopped):
            write(float(line), line)
        with result_files.open_file(path, "resume") as file:
            saved = result_files.read_tree(file["saved"])
        assert (saved["state"]["a"] == saved["b"]).all()
        assert saved["b"] in (held, float(line)), f"line {line} of {count}"
        outcomes.add(saved["b"] == float(line))
        held = saved["b"]
        assert os.listdir(tmp_path) == [path.name], f"line {line} of {count}"
    assert outcomes == {True, False}
    assert count > 100


# The end of a job's time ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """The file of a job that nothing happens to."""
    job = job_of(tmp_path_factory.mktemp("undisturbed"))
    run(job)
    return job.path


def test_training_ends_ahead_of_its_time_with_a_checkpoint(tmp_path, at_step):
    job = job_of(tmp_path)
    stopping = StopRequest(end=time.time() + ENDING_SECONDS + 60)
    at_step(60, lambda: setattr(stopping, "_end", time.time() + ENDING_SECONDS - 1))
    with pytest.raises(Stopped, match="the job's time is nearly over; checkpoint at step 75") as stopped:
        run(job, JobContext(stopping=stopping))
    assert stopped.value.of_time
    run(job)


@pytest.mark.parametrize("left", [pytest.param(0, marks=pytest.mark.slow), 100, 2000])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, at_step, capsys, undisturbed, left):
    job = job_of(tmp_path)
    at_step(60, send(signal.SIGTERM))
    stopping = StopRequest()
    with stopping.listening(), pytest.raises(Stopped):
        run(job, JobContext(stopping=stopping))
    (checkpoint,) = (job.path.parent / ".resume").glob("*/*.h5")
    os.truncate(checkpoint, left)
    capsys.readouterr()
    run(job)
    log = capsys.readouterr().err
    assert log.count("It is passed over.") == 1
    assert "goes on from" not in log
    assert_same(job.path, undisturbed)


def test_a_pack_is_not_begun_without_time_to_end(tmp_path, at_step):
    job = job_of(tmp_path)
    at_step(1, lambda: pytest.fail("there is no time"))
    with pytest.raises(Stopped, match="what is finished is kept"):
        run(job, JobContext(stopping=StopRequest(end=time.time() + ENDING_SECONDS / 2)))


# Stages without checkpoints of their own ------------------------------------------------------------------------------

SCORED = {
    "study": "scored",
    "grid": [
        {
            "dataset": "line",
            "architecture": {"name": "mlp", "width": 8},
            "n_train": 60,
            "learning_rate": 0.001,
            "seed": [0, 1, 2, 3],
        }
    ],
    "train": {"steps": 20, "batch_size": 16, "snapshots": {"count": 2}},
    "evaluate": {"samples": 64, "samples_kept": 4},
    "diagnose": [{"name": which, "diagnostic": "path", "where": {"seed": seed}} for seed, which in enumerate("abcd")],
}
STAGES = {"evaluate": evaluate_stage, "diagnose": diagnose_stage}  # each calls the engine's function of its name


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> dict[str, Any]:
    """Jobs of a study that has been trained, and done once."""
    found = Plan(parse(SCORED | {"results": str(tmp_path_factory.mktemp("scored"))}, origin="study"))
    results_folder.prepare(found)
    jobs = [job for stage in ("prepare", "judge", "reference", "train", *STAGES) for job in found.jobs(stage).values()]
    for job in jobs:
        run(job)
    return {job.stage: job for job in jobs}


@pytest.fixture
def at_run(monkeypatch):
    """Has something happen before the engine takes on a run, counted from now; returns a list that grows by each."""

    def at(stage: str, number: int, happen) -> list[int]:
        work, taken = getattr(STAGES[stage], stage), []

        def watched(*given, **options):
            taken.append(len(taken) + 1)
            if taken[-1] == number:
                happen()
            return work(*given, **options)

        monkeypatch.setattr(STAGES[stage], stage, watched)
        return taken

    return at


def again(job, place: Path) -> Path:
    """Where the job writes if it is done elsewhere."""
    return place / job.stage / job.path.name


def resumed(path: Path) -> list[Path]:
    return list((path.parent / ".resume").glob("*/*.h5"))


@pytest.mark.parametrize("stage", STAGES)
def test_runs_that_are_finished_when_a_job_is_told_to_end_are_kept(tmp_path, ready, at_run, stage):
    job, path = ready[stage], again(ready[stage], tmp_path)
    taken = at_run(stage, 3, send(signal.SIGTERM))
    stopping = StopRequest()
    with stopping.listening(), pytest.raises(Stopped, match="received SIGTERM"):
        run(replace(job, outputs=(path,)), JobContext(stopping=stopping))
    assert taken == [1, 2, 3]
    assert not path.exists()
    assert len(resumed(path)) == 1, "two runs in one file"
    run(replace(job, outputs=(path,)))
    assert taken == [1, 2, 3, 4, 5], "the third was interrupted"
    assert_same(path, job.path, stage)
    assert not list((path.parent / ".resume").iterdir())


@pytest.mark.parametrize("stage", STAGES)
def test_no_run_is_begun_without_time_to_finish_it(tmp_path, ready, at_run, stage):
    job, path = ready[stage], again(ready[stage], tmp_path)
    stopping = StopRequest(end=time.time() + ENDING_SECONDS + 60)
    taken = at_run(stage, 2, lambda: setattr(stopping, "_end", time.time() + ENDING_SECONDS - 1))
    with pytest.raises(Stopped, match="the job's time is nearly over; what is finished is kept") as stopped:
        run(replace(job, outputs=(path,)), JobContext(stopping=stopping))
    assert stopped.value.of_time
    assert taken == [1, 2]
    run(replace(job, outputs=(path,)))
    assert taken == [1, 2, 3, 4]
    assert_same(path, job.path, stage)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("seconds", "files"), [(0, 2), (60, 0)])
def test_a_job_that_is_killed_has_kept_its_runs_as_often_as_asked(tmp_path, ready, at_run, stage, seconds, files):
    job, path = ready[stage], again(ready[stage], tmp_path)
    kept = []
    taken = at_run(stage, 3, lambda: kept.extend(resumed(path)))
    run(replace(job, outputs=(path,)), JobContext(ExecutionSettings(checkpoint_seconds=seconds)))
    assert len(kept) == files
    assert taken == [1, 2, 3, 4]
    assert_same(path, job.path, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_runs_in_a_damaged_file_of_finished_ones_are_made_again(tmp_path, ready, at_run, stage):
    job, path = ready[stage], again(ready[stage], tmp_path)
    at_run(stage, 3, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(replace(job, outputs=(path,)), JobContext(ExecutionSettings(checkpoint_seconds=0)))
    first, second = sorted(resumed(path))
    os.truncate(first, 300)
    assert second.stat().st_size > 300
    taken = at_run(stage, 0, lambda: None)
    run(replace(job, outputs=(path,)))
    assert taken == [1, 2, 3]
    assert_same(path, job.path, stage)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("seconds", [0, 60])
def test_runs_that_are_looked_at_together_are_kept_together(tmp_path, at_run, count, seconds):
    """One experiment of four runs, at whose end there is no time left for another; alone and followed by one."""
    looks = [
        {"name": f"turns_{points}", "diagnostic": {"name": "rotation", "max_snapshots": points}}
        for points in (2, 3)[:count]
    ]
    found = Plan(parse(SCORED | {"results": str(tmp_path), "diagnose": looks}, origin="study"))
    results_folder.prepare(found)
    for stage in ("prepare", "train"):
        for job in found.jobs(stage).values():
            run(job)
    (job,) = found.jobs("diagnose").values()
    stopping = StopRequest(end=time.time() + ENDING_SECONDS + 60)
    taken = at_run("diagnose", 1, lambda: setattr(stopping, "_end", time.time() + ENDING_SECONDS - 1))
    work = JobContext(ExecutionSettings(checkpoint_seconds=seconds), stopping)
    if count == 1:
        run(job, work)
        assert taken == [1]
    else:
        with pytest.raises(Stopped, match="what is finished is kept"):
            run(job, work)
        (kept,) = resumed(job.path)
        with result_files.open_file(kept, "diagnose") as file:
            assert len(file["runs"]) == 4
        run(job)
        assert taken == [1, 2]
    with result_files.open_file(job.path, "diagnose") as file:
        assert len(file["runs"]) == 4 * count


@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_while_all_is_written_comes_too_late(tmp_path, ready, monkeypatch, stage):
    job, path = ready[stage], again(ready[stage], tmp_path)
    write = result_cache.write

    def interrupted(*given):
        send(signal.SIGTERM)()
        write(*given)

    monkeypatch.setattr(result_cache, "write", interrupted)
    stopping = StopRequest()
    with stopping.listening():
        run(replace(job, outputs=(path,)), JobContext(stopping=stopping))
    assert_same(path, job.path, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_finished_runs_of_another_job_of_the_pack_stay(tmp_path, ready, at_run, stage):
    """Of one that goes on after the study was edited: the new one's are not for it to remove."""
    job, path = ready[stage], again(ready[stage], tmp_path)
    other = path.parent / ".resume" / path.stem[: -result_cache.DIGEST] / "other.h5"

    def appear():
        with result_files.create_file(other, stage) as file:
            file.create_group("runs/of_another_study")

    at_run(stage, 3, appear)
    run(replace(job, outputs=(path,)), JobContext(ExecutionSettings(checkpoint_seconds=0)))
    assert resumed(path) == [other]
    assert_same(path, job.path, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_finished_runs_are_found_where_another_job_of_the_pack_has_put_them(tmp_path, ready, at_run, stage):
    """Of one that ends meanwhile: its file holds what lay in files that it removes."""
    job, path = ready[stage], again(ready[stage], tmp_path)

    def move():
        for number, kept in enumerate(resumed(path)):
            kept.rename(path.parent / f"other{number}-{'0' * 12}.h5")

    taken = at_run(stage, 3, move)
    run(replace(job, outputs=(path,)), JobContext(ExecutionSettings(checkpoint_seconds=0)))
    assert taken == [1, 2, 3, 4]
    assert_same(path, job.path, stage)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, monkeypatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(checkpoints.time, "monotonic", lambda: self.now)

    def chunk(self, pace: CheckpointSchedule, seconds: float) -> None:
        pace.begin()
        self.now += seconds
        pace.end()

    def checkpoint(self, pace: CheckpointSchedule, seconds: float) -> None:
        with pace.saving():
            self.now += seconds


def test_the_margin_is_twice_the_longest_chunk_and_the_longest_checkpoint_and_the_end(monkeypatch):
    clock = Clock(monkeypatch)
    pace = CheckpointSchedule(60)
    assert pace.margin == ENDING_SECONDS
    for seconds in (3, 7, 5):
        clock.chunk(pace, seconds)
    assert pace.new
    pace.expect(int(4 * SLOW_DISK))
    assert pace.margin == ENDING_SECONDS + WARY * (7 + 4)
    assert not pace.new
    for seconds in (2, 6, 1):
        clock.checkpoint(pace, seconds)
    assert pace.margin == ENDING_SECONDS + WARY * (7 + 6)


@pytest.mark.parametrize(("least", "cost"), [(60, 0.1), (60, 3.0), (1, 0.5)])
def test_checkpoints_take_less_than_two_percent(monkeypatch, least, cost):
    clock = Clock(monkeypatch)
    pace, spent, began, gaps = CheckpointSchedule(least), 0.0, clock.now, []
    while clock.now < began + 5000:
        clock.chunk(pace, 0.25)
        if pace.due:
            gaps.append(clock.now - last if spent else 0.0)  # noqa: F821
            clock.checkpoint(pace, cost)
            spent += cost
            last = clock.now  # noqa: F841
    assert gaps[1] == pytest.approx(max(least, SPARING * cost), abs=0.3)
    assert spent / (clock.now - began) < 0.02


def test_zero_seconds_between_checkpoints_are_one_after_every_chunk(monkeypatch):
    clock = Clock(monkeypatch)
    pace = CheckpointSchedule(0)
    for _ in range(3):
        clock.chunk(pace, 0.0)
        assert pace.due
        clock.checkpoint(pace, 10.0)


def test_a_pack_is_kept_as_often_as_asked(tmp_path, monkeypatch):
    kept, save = [], Checkpoint.save

    def counted(self, **what):
        kept.append(what["state"]["step"] if "state" in what else "done")
        save(self, **what)

    monkeypatch.setattr(Checkpoint, "save", counted)
    for seconds, expected in ((0, [*range(25, STEPS, 25), "done"]), (60, ["done"])):
        kept.clear()
        job = job_of(tmp_path / str(seconds))
        run(job, JobContext(ExecutionSettings(checkpoint_seconds=seconds)))
        assert kept == expected


def test_the_cost_of_checkpoints_is_measured():
    sheet = bench.measure(bench.QUICK, "cpu", often=1e-9)
    (row,) = sheet.rows
    assert len(row) == len(sheet.columns)
    count, one, share, usually = (float(cell.rstrip("%")) for cell in row[5:])
    assert count >= 1
    assert one > 0
    assert 0 < usually < 1
    assert share > usually


# Streams --------------------------------------------------------------------------------------------------------------


def test_curves_of_members_in_training_are_streamed(tmp_path, monkeypatch):
    sent, turns = [], iter(range(1000))

    class Stream:
        def due(self):
            return next(turns) % 2 == 1  # at every second chunk

        def send(self, run, axes, curves):
            sent.append((run, axes, int(curves["last_step"][-1])))

    @contextmanager
    def live(server, experiment):
        assert (server, experiment) == ("http://here", "toys")
        yield Stream()

    monkeypatch.setattr(train, "live", live)
    job = job_of(tmp_path)
    run(job, JobContext(ExecutionSettings(server="http://here", study="toys")))
    ids = [member.id for member in job.task.members]
    assert [(name, step) for name, _, step in sent] == [(name, step) for step in (50, 100, 150) for name in ids]
    for place, name in enumerate(ids):
        axes = next(axes for run_id, axes, _ in sent if run_id == name)
        assert (axes["game"], axes["optimizer"], axes["seed"], axes["learning_rate"]) == ("dirac", "adam", place, 0.01)


def test_without_a_server_no_curves_are_made(tmp_path, monkeypatch):
    from ganbench.core.recorder import Recorder

    made = []
    curves = Recorder.curves
    monkeypatch.setattr(Recorder, "curves", lambda self: made.append(True) or curves(self))
    job = job_of(tmp_path)
    run(job)
    assert len(made) == 3, "one for each run, at its end"
