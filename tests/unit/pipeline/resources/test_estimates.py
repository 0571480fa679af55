"""What a study is estimated to take, and how that stands beside what it took."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from building import CPU, toy
from judging import look

from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.data import Examples
from ganbench.dynamics.simultaneous import Simultaneous
from ganbench.engine.train import Training
from ganbench.games import CHUNK, Member
from ganbench.optimizers.sgd import SGD
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import journal, result_cache
from ganbench.pipeline.execution.limits import TooLong
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.check import _bytes_to_write, check
from ganbench.pipeline.preflight.trial import try_study
from ganbench.pipeline.resources import requests, stage_times, stored_estimates, summary, timing
from ganbench.pipeline.resources.job_costs import job_seconds, left_to_compute
from ganbench.pipeline.resources.stage_times import elapsed, union_length
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.pipeline.stage_names import OF_PACKS, STAGES
from ganbench.study.schema import parse

TICK = 0.06
END = journal.End(journal.STOPPED, "", "", 1.0)


def plan(tmp_path, **changes) -> Plan:
    study = {
        "study": "tiny",
        "results": str(tmp_path),
        "grid": [{"dataset": "ring8", "architecture": "mlp", "learning_rate": [1e-3, 1e-2], "seed": [0, 1]}],
        "train": {"steps": 10},
        "diagnose": ["rotation"],
        "machine": {"device": "cpu"},
    }
    found = Plan(parse(study | changes, origin="study"))
    results_folder.prepare(found)
    return found


@pytest.fixture
def ticking(monkeypatch):
    """A clock that goes on by a tick whenever somebody looks at it."""
    ticks = itertools.count()
    monkeypatch.setattr(timing, "clock_of", lambda place: lambda: TICK * next(ticks))


# Estimates ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def steady(monkeypatch):
    """A machine on which every step of a pack takes ten milliseconds."""
    monkeypatch.setattr(timing, "step_seconds", lambda *_: 0.01)


def estimates(tmp_path, block: dict, **changes) -> list[Estimate]:
    return try_study(plan(tmp_path, grid=[{"seed": [0, 1]} | block], diagnose=[], **changes))[0]


@pytest.mark.slow
def test_estimates_count_parameters_and_grow_with_the_study(tmp_path, steady):
    block = {"dataset": "digits", "architecture": "fc", "learning_rate": 1e-3}
    (one,), (other,) = (estimates(tmp_path, block, train={"steps": steps}) for steps in (10, 1000))
    assert one.parameters == other.parameters
    assert one.runs == 2
    assert other.seconds == pytest.approx(100 * one.seconds)


def test_estimates_of_games_without_networks(tmp_path, steady):
    shared = {"learning_rate": 0.1, "optimizer": "sgd"}
    games = ["bilinear", {"name": "quadratic", "curvatures": [1.0, 2.0, 3.0]}]
    (one, other) = estimates(tmp_path, shared | {"game": games})
    assert (one.parameters, other.parameters) == ((1, 1), (2, 1))
    assert (one.runs, other.runs) == (2, 2)
    (more,) = estimates(tmp_path, shared | {"game": "bilinear", "seed": {"count": 10}, "train": {"steps": 1000}})
    per_pack = [estimate.runs * estimate.seconds for estimate in (one, more)]
    assert per_pack[1] == pytest.approx(100 * per_pack[0]), "members of a pack share what their steps take"
    assert more.bytes > one.bytes


# Timing ---------------------------------------------------------------------------------------------------------------


def test_a_step_is_timed_from_its_beginning_to_that_of_the_next(ticking):
    training = Training(Simultaneous(), SGD(), 1000, torch.float64, (0, 1000), 10)
    taken = []
    dynamics = replace(training, dynamics=Counting(training.dynamics, taken))
    seconds = timing.step_seconds(toy(), dynamics, [Member(0, None, 0.1)], CPU)
    assert seconds == pytest.approx(TICK + TICK / CHUNK), "a step, and its share of a draw"
    assert 3 <= len(taken) <= 10, "a few steps are enough"


class Counting:
    def __init__(self, dynamics, taken: list) -> None:
        self._dynamics, self._taken = dynamics, taken

    def __getattr__(self, name):
        return getattr(self._dynamics, name)

    def step(self, *given):
        self._taken.append(1)
        return self._dynamics.step(*given)


class Learner:
    def __init__(self, seconds: float) -> None:
        self.done, self._seconds = 0, seconds

    def fit(self, examples, report):
        for step in range(1, 101):
            self.done = step
            began = time.process_time()
            while time.process_time() - began < self._seconds:
                pass
            report(step, 100)


def test_a_judge_is_timed_for_a_part_of_its_steps(monkeypatch):
    monkeypatch.setattr(timing, "JUDGE_SECONDS", 0.05)
    slow = Learner(0.02)
    assert timing.judge_seconds(slow, None) >= 100 * 0.02, "estimated for all steps"
    assert slow.done < 100, "though not all were taken"


class Loader:
    """A judge on a clock that a test sets: its first step takes 2 seconds more than all others, but only once.

    The limit of time cuts a fit short, once, in the step `cut`.
    """

    def __init__(self, clock: list[float], seconds: float, cut: int | None = None) -> None:
        self.done, self._clock, self._loading, self._seconds, self._cut = 0, clock, 2.0, seconds, cut

    def fit(self, examples, report):
        for step in range(1, 1001):
            if step == self._cut:
                self._cut = None
                raise TooLong
            self._clock[0] += self._seconds + self._loading
            self._loading, self.done = 0.0, step
            report(step, 1000)


@pytest.mark.parametrize(("seconds", "cut"), [(0.01, None), (0.01, 90), (0.8, 2)])
def test_a_slow_first_step_of_a_judge_counts_once(monkeypatch, seconds, cut):
    clock = [0.0]
    monkeypatch.setattr(timing.time, "process_time", lambda: clock[0])
    judge = Loader(clock, seconds, cut)
    assert timing.judge_seconds(judge, None) == pytest.approx(2 + 1000 * seconds)
    assert judge.done < 200, "a part of its steps was enough"


def test_a_judge_that_reports_no_steps_is_timed_on_a_few_examples(monkeypatch):
    monkeypatch.setattr(timing, "JUDGE_SECONDS", 0.02)
    fitted = []

    class Looker:
        def fit(self, examples, report):
            end = time.process_time() + 1e-4 * len(examples.train)
            while time.process_time() < end:
                pass
            fitted.append(len(examples.train))

    examples = Examples(np.zeros((2000, 1)), np.zeros(2000), np.zeros((20, 1)), np.zeros(20))
    assert 0.2 <= timing.judge_seconds(Looker(), examples) < 0.4
    assert fitted == [200], "a fit of all was cut short"


@pytest.mark.slow
def test_what_was_timed_is_not_timed_again_where_the_workflow_starts(tmp_path, monkeypatch):
    found = plan(tmp_path)
    estimates, timings = try_study(found)
    stored_estimates.write_estimates(found.folder, estimates)
    stored_estimates.write_timings(found.folder, timings)

    def refuse(*_, **__):
        raise AssertionError("timed again")

    for name in ("step_seconds", "seconds_of", "judge_seconds", "observation_seconds"):
        monkeypatch.setattr(timing, name, refuse)
    assert try_study(found, remeasure=False) == (estimates, timings)
    with pytest.raises(GanbenchError, match="timed again"):
        try_study(plan(tmp_path, train={"steps": 20}), remeasure=False)
    with pytest.raises(GanbenchError, match="timed again"):
        try_study(found)


# Estimates of jobs ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_job_of_every_stage_is_estimated(tmp_path):
    found = plan(tmp_path)
    known = {each.method: each for each in check(found)}
    timings = stored_estimates.read_timings(found.folder)
    for stage in STAGES:
        for job in found.jobs(stage).values():
            assert job_seconds(found, job, known, timings) >= timings.start > 0, stage


def test_jobs_take_what_their_runs_and_looks_take(tmp_path):
    found = plan(tmp_path)
    (method,) = found.grid.methods
    known = {method: Estimate(method, 4, (1, 1), 30.0, 1, 1, 7.0, 1)}
    observations = {"rotation": {method: 2.0}}
    timings = Timings(2, 5.0, {"ring8": 1.0}, {"ring8": 9.0}, {"ring8": 3.0}, observations)

    def seconds(stage: str) -> list[float]:
        return [job_seconds(found, job, known, timings) for job in found.jobs(stage).values()]

    assert seconds("prepare") == [6.0]
    assert seconds("judge") == [14.0]
    assert seconds("train") == [5.0 + 4 * 30.0]
    assert seconds("reference") == [8.0]
    assert seconds("evaluate") == [5.0 + 4 * 7.0]
    assert seconds("diagnose") == [5.0 + 4 * 2.0]
    assert Timings(observations={"path": {"a": 1.0, "b": 3.0}}).observation("path", "c") == 2.0, (
        "as others of the experiment"
    )


def hold(job: Job, count: int, name: str | None = None) -> None:
    """Leave a file that holds some results of a job's pack, as an earlier version of the study did."""
    path = job.path.with_name(f"{name or job.name}-{'0' * 12}.h5")
    path.parent.mkdir(exist_ok=True)
    with result_files.create_file(path, job.stage) as file:
        for item in job.items[:count]:
            file.create_group(f"runs/{item.digest}")


@pytest.mark.parametrize(
    ("kept", "seconds", "minutes"),
    [(0, (120.0, 28.0, 8.0), (20, 15)), (3, (30.0, 7.0, 2.0), (15, 15)), (4, (0.0, 0.0, 0.0), (10, 10))],
)
def test_jobs_compute_what_no_file_holds(tmp_path, kept, seconds, minutes):
    """Of one job of each stage with four runs, of which a file may hold some, in times and in requests to a cluster."""
    found = plan(tmp_path)
    (method,) = found.grid.methods
    estimate = Estimate(method, 4, (1, 1), 30.0, 1, 100 * 2**20, 7.0, 100 * 2**20)
    jobs = [job for stage in OF_PACKS for job in found.jobs(stage).values()]
    for job in jobs:
        hold(job, kept)
    held = result_cache.held(jobs)
    assert len(held) == 3 * kept
    stored_estimates.write_held(found.folder, held)
    known, timings = {method: estimate}, Timings(1, 5.0, observations={"rotation": {method: 2.0}})
    left = [left_to_compute(job, stored_estimates.read_held(found.folder)) for job in jobs]
    assert [job_seconds(found, job, known, timings) for job in left] == [5.0 + each for each in seconds]
    assert [[item.digest for item in job.items] for job in left] == [
        [item.digest for item in job.items[kept:]] for job in jobs
    ]
    asked = [requests.request(found, job, known) for job in jobs]
    assert tuple(each.runtime for each in asked[:2]) == minutes
    assert [each.mem_mb for each in asked[:2]] == [2500 + 100 * (4 - kept), 2500 + 100 * (kept < 4)]
    table, _ = summary.timetable(found, [estimate], timings, "here")
    assert list(table.columns[3].cells)[3:6] == [f"{(5.0 + each) / 60:.1f}" for each in seconds]


@pytest.mark.parametrize(
    ("holding", "expected"),
    [
        (None, 4 + 4),  # snapshots of new runs are there twice until the pack is written
        ("own", 1 + 4),  # the pack's old file goes once the new one is there
        ("another", 4 + 1),
    ],
)
def test_the_disk_takes_new_runs_and_copies_that_stay(tmp_path, holding, expected):
    found = plan(tmp_path)
    (method,), (job,) = found.grid.methods, found.train.values()
    if holding:
        hold(job, 3, {"own": job.name}.get(holding, "another"))
    estimate = Estimate(method, 4, (1, 1), 30.0, 1000, 1, 7.0, 1)
    assert _bytes_to_write(found, [estimate], 2, result_cache.held([job])) == 1000 * expected


def test_estimates_are_read_once_for_all_jobs(tmp_path, monkeypatch):
    """A workflow asks for the requests of every job, and the file has every method."""
    found, read = plan(tmp_path), []
    decode = stored_estimates.decode
    monkeypatch.setattr(stored_estimates, "decode", lambda *given: read.append(given) or decode(*given))
    for seconds in (30.0, 40.0):
        stored_estimates.write_estimates(found.folder, [Estimate("m", 4, (1, 1), seconds, 1, 1, 7.0, 1)])
        read.clear()
        for _ in range(3):
            assert stored_estimates.read_estimates(found.folder)["m"].seconds == seconds
        assert len(read) == 1


def job(name: str, *inputs: str, stage: str = "train"):
    return Job(stage, name, "", {}, tuple(map(Path, inputs)), (Path(name),))


@pytest.mark.parametrize(
    ("parallel_jobs", "expected"),
    [(1, 3 + 4 + 2 + 1), (2, 3 + 4 + 1), (9, 3 + 4 + 1)],  # two jobs wait for a first one, a last one for both
)
def test_jobs_run_at_the_same_time_when_their_inputs_are_there(parallel_jobs, expected):
    jobs = [
        job("first", stage="prepare"),
        job("long", "first", "made.earlier"),
        job("short", "first"),
        job("last", "long", "short", stage="collect"),
    ]
    seconds = {each.path: taken for each, taken in zip(jobs, (3, 4, 2, 1), strict=True)}
    assert elapsed(seconds, jobs, parallel_jobs) == expected
    assert elapsed({}, [], parallel_jobs) == 0


# Beside what happened -------------------------------------------------------------------------------------------------


def test_time_in_which_nothing_ran_is_not_counted():
    assert union_length([]) == 0
    assert union_length([(0, 2), (1, 3), (10, 11), (10.5, 10.7)]) == 4


def test_the_estimate_stands_beside_what_happened(tmp_path):
    found = plan(tmp_path)
    (method,) = found.grid.methods
    stored_estimates.write_estimates(found.folder, [Estimate(method, 4, (1, 1), 30.0, 1, 1, 7.0, 1)])
    stored_estimates.write_timings(found.folder, Timings(2, 0.0, {"ring8": 1.0}))
    (train,), (prepare,) = found.train.values(), found.prepare.values()
    worked(found, prepare, (0.0, 50.0))
    worked(found, train, (100.0, 160.0), (200.0, 240.0))
    worked(found, found.collect, (300.0, 301.0), running=True)
    rows = {row.stage: row for row in stage_times.compared(found, found.folder)}
    assert list(rows) == ["prepare", "train", "from start to end, 2 jobs at a time"], "what still runs is not known"
    assert (rows["train"].jobs, rows["train"].estimated, rows["train"].actual) == (1, 120.0, 100.0)
    assert (rows["prepare"].estimated, rows["prepare"].actual) == (1.0, 50.0)
    whole = rows["from start to end, 2 jobs at a time"]
    assert (whole.jobs, whole.estimated, whole.actual) == (2, 121.0, 150.0)
    assert stage_times.compared(plan(tmp_path / "other"), tmp_path / "other") == []


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (None, 120.0),  # estimated to take 60 s, and the job before it took twice its estimate
        ({"done": 25, "total": 100, "rate": 5.0}, 15.0),  # by its own rate
        ({}, 20.0),  # has worked for 100 s of 120
        ({"worked": ((0.0, 300.0),)}, 0.0),  # for longer than 120
        ({"beat": 0.0}, 120.0),  # silent: it begins again
        ({"running": False, "ends": (END,), "done": 75, "total": 100}, 30.0),  # stopped with a quarter to do
        ({"running": False, "ends": (END,)}, 120.0),  # stopped before it began
        ({"running": False, "done": 100, "total": 100}, 120.0),  # was done, and its file was removed
    ],
)
def test_the_time_left_is_that_of_estimates_and_of_what_jobs_took(said, left, tmp_path, monkeypatch):
    found = plan(tmp_path, pack={"axes": ["learning_rate"]})
    done, other = found.train.values()
    assert stage_times.seconds_left(found, [(other, None)]) is None, "the study was not checked"
    (method,) = found.grid.methods
    stored_estimates.write_estimates(found.folder, [Estimate(method, 4, (1, 1), 30.0, 1, 1, 7.0, 1)])
    stored_estimates.write_timings(found.folder, Timings(parallel_jobs=1))
    worked(found, done, (0.0, 120.0))
    monkeypatch.setattr(stage_times.time, "time", lambda: 300.0)
    entry = journal.Entry(True, "node1", 1, "", "", "", 300.0, worked=((200.0, 290.0),))
    entry = None if said is None else replace(entry, **said)
    assert stage_times.seconds_left(found, [(other, entry)]) == pytest.approx(left)
    running = replace(
        entry or journal.Entry(True, "node1", 1, "", "", "", 300.0), running=True, done=1, total=2, rate=0.1
    )
    two = [(other, replace(running, beat=300.0)), (replace(other, outputs=(Path("b"),)), replace(running, beat=300.0))]
    assert stage_times.seconds_left(found, two) == 10.0, "as many at once as run now, though one was counted on"
    assert stage_times.seconds_left(found, []) == 0.0


STOPPED = journal.Entry(False, "node1", 1, "", "", "", 0.0, ends=(END,), done=90.0, total=100.0)


@pytest.mark.parametrize(
    ("stage", "left"),
    [("prepare", 40.0), ("judge", 40.0), ("collect", 0.03 * 4), ("train", 12.0), ("evaluate", 2.8), ("diagnose", 0.8)],
)
def test_only_jobs_of_packs_go_on_where_they_were_stopped(stage, left, tmp_path):
    found = plan(tmp_path)
    (method,) = found.grid.methods
    stored_estimates.write_estimates(found.folder, [Estimate(method, 4, (1, 1), 30.0, 1, 1, 7.0, 1)])
    forty = dict.fromkeys(found.grid.datasets, 40.0)
    observed = {"rotation": {method: 2.0}}
    stored_estimates.write_timings(found.folder, Timings(1, 0.0, forty, forty, observations=observed))
    (stopped,) = found.jobs(stage).values()
    assert stage_times.seconds_left(found, [(stopped, STOPPED)]) == pytest.approx(left)


def test_jobs_that_copied_results_set_no_pace_and_are_read_once(tmp_path, monkeypatch):
    """Of four jobs, one took twice its 30 s and one copied its results within a second."""
    found = plan(tmp_path, pack={"axes": ["seed"], "seeds_per_pack": 1})
    slow, copied, *waiting = found.train.values()
    (method,) = found.grid.methods
    stored_estimates.write_estimates(found.folder, [Estimate(method, 4, (1, 1), 30.0, 1, 1, 7.0, 1)])
    stored_estimates.write_timings(found.folder, Timings(parallel_jobs=1))
    worked(found, slow, (0.0, 60.0))
    worked(found, copied, (0.0, 1.0), copied=True)
    known = {}
    unfinished = [(each, None) for each in waiting]
    assert stage_times.seconds_left(found, unfinished, known) == 2 * 60.0
    monkeypatch.setattr(journal, "read", lambda path: pytest.fail(f"{path} was read before"))
    assert stage_times.seconds_left(found, unfinished, known) == 2 * 60.0
    assert stage_times.seconds_left(found, [*unfinished, (slow, None)], known) == 3 * 30.0, "the slow one is repeated"
    assert list(known) == [copied.path]


def worked(found: Plan, job: Job, *spans: tuple[float, float], **said: bool) -> None:
    place = journal.path_of(found.folder, job.stage, job.path)
    place.parent.mkdir(parents=True, exist_ok=True)
    entry = journal.Entry(False, "node1", 1, "", "", "", 0.0, worked=spans)
    place.write_text(json.dumps(asdict(replace(entry, **said))))


def test_paths_made_up_for_looks_have_all_snapshots(monkeypatch):
    shown = []
    monkeypatch.setattr(timing, "diagnose", lambda *given, **_: shown.append(given))
    training = Training(Simultaneous(), SGD(), 10, torch.float64, (0, 5, 10), 10)
    assert timing.observation_seconds(None, toy(), training, Member(0, None, 0.1), CPU) >= 0
    ((*_, trees, steps),) = shown
    assert steps == (0, 5, 10)
    assert all(np.isfinite(values).all() and len(values) == 3 for values in trees[0].values())


def test_a_look_that_takes_long_is_cut_short(monkeypatch):
    def endless(*_, **__):
        while True:
            pass

    monkeypatch.setattr(timing, "diagnose", endless)
    monkeypatch.setattr(timing, "OBSERVATION_SECONDS", 0.05)
    training = Training(Simultaneous(), SGD(), 10, torch.float64, (0, 10), 10)
    seconds = timing.observation_seconds(None, toy(), training, Member(0, None, 0.1), CPU)
    assert seconds == timing.LONGER * 0.05


def test_references_of_all_pairs_are_estimated_by_the_square(monkeypatch):
    """By a clock that each metric moves on by its own work."""
    clock = [0.0]

    def seconds_of(work):
        began = clock[0]
        work()
        return clock[0] - began

    class Work:
        draws, fewest, max_examples = 5, 2, None

        def __init__(self, power: int, max_examples: int | None = None) -> None:
            self.power, self.max_examples, self.columns = power, max_examples, {}

        def reference(self, real, heldout):
            clock[0] += len(real) ** self.power
            return {"n": len(real)}

        def score(self, generated, reference):
            clock[0] += len(generated) * reference["n"] ** (self.power - 1)
            return {}

    judged = look(np.zeros((400, 1)))
    monkeypatch.setattr(timing, "seconds_of", seconds_of)
    monkeypatch.setattr(timing, "judged_real", lambda *of: (judged, judged))
    scorer = SimpleNamespace(judge=None, state={})
    for work, n, m in (
        (Work(1), 4000, 800),
        (Work(2), 4000, 800),
        (Work(2), 600, 800),
        (Work(2, max_examples=1000), 1000, 800),
    ):
        scorer.metrics = ((work, {"n": 400}),)
        found = timing.reference_seconds(scorer, None, n if n == 600 else 4000, 800)
        reference, score = n**work.power, m * n ** (work.power - 1)
        assert found == pytest.approx(reference + timing.CROSS_FITTED * 5 * (reference + score), rel=1e-6), work.power
