"""What jobs are given beside their tasks: the journal they keep, and what they ask of a cluster for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ganbench.core.errors import GanbenchError
from ganbench.core.locks import current_holder, try_lock
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.job_context import job_context
from ganbench.pipeline.execution.journal import FAILED, KILLED, OUT_OF_MEMORY, OUT_OF_TIME, STOPPED, End
from ganbench.pipeline.execution.termination_signals import Stopped, StopRequest
from ganbench.pipeline.jobs import ExecutionSettings
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.check import check
from ganbench.pipeline.resources import requests, stored_estimates
from ganbench.pipeline.resources.requests import attempts, request
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings, write_timings
from ganbench.pipeline.tasks import InceptionWeights
from ganbench.study.schema import parse

IMPORTS = (
    "from ganbench.pipeline.execution.job_context import job_context\n"
    "from ganbench.pipeline.jobs import ExecutionSettings\n"
)


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "train" / "pack-0123456789ab.h5"


def entry_of(tmp_path: Path):
    return journal.read(journal.path_of(tmp_path, "train", file_of(tmp_path)))


def at_train(tmp_path: Path):
    return job_context(ExecutionSettings(folder=str(tmp_path)), "train", file_of(tmp_path))


# The journal ---------------------------------------------------------------------------------------------------------


def test_a_job_says_that_it_runs_how_far_it_is_and_how_long_it_took(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(journal, "MEMORY_SECONDS", 0.01)
    monkeypatch.setattr(journal, "WRITE_SECONDS", 0.0)
    with at_train(tmp_path) as work, work.progress("train pack", 100, "run-steps", done=20) as report:
        assert (entry_of(tmp_path).running, entry_of(tmp_path).pid) == (True, os.getpid())
        time.sleep(0.05)
        report(60)
        deadline = time.monotonic() + 60
        while entry_of(tmp_path).done != 60 and time.monotonic() < deadline:
            time.sleep(0.01)
        entry = entry_of(tmp_path)
        assert (entry.done, entry.total, entry.unit) == (60, 100, "run-steps")
        assert 0 < entry.rate < 40 / 0.05, "what was done before counts for no rate"
        assert entry.seconds_left == pytest.approx(40 / entry.rate)
        assert entry.memory_mb > 10
        assert not entry.silent
    done = entry_of(tmp_path)
    assert (done.running, done.ends) == (False, ())
    assert done.seconds == done.worked[0][1] - done.worked[0][0] > 0
    assert [file.suffix for file in (tmp_path / ".jobs" / "train").iterdir()] == [".json"], "no lock is left"


def test_results_of_earlier_jobs_are_told_from_those_of_earlier_attempts(tmp_path):
    """What a first attempt finds, others have made; what a second one finds may be of the first."""

    def attempt(finds: bool, fails: bool = True) -> bool:
        with suppress(GanbenchError), at_train(tmp_path) as work:
            if finds:
                work.note_copied()
            if fails:
                raise GanbenchError("the disk is full")
        return entry_of(tmp_path).copied

    assert not attempt(finds=False)
    assert not attempt(finds=True, fails=False)
    assert attempt(finds=True), "the job is repeated"
    assert attempt(finds=False, fails=False)
    assert not attempt(finds=False)


def test_what_a_job_notes_while_its_journal_writes_is_kept(tmp_path, monkeypatch):
    """A thread writes the entry, and measures the memory for it; meanwhile, the job goes on."""
    place, writing, noted = journal.path_of(tmp_path, "train", file_of(tmp_path)), threading.Event(), threading.Event()

    def memory_mb() -> float:
        if threading.current_thread() is not threading.main_thread():
            writing.set()
            noted.wait(60)
        return 1.0

    monkeypatch.setattr(journal, "memory_mb", memory_mb)
    own = journal.Journal(place, 0, time.time())
    thread = threading.Thread(target=own._write)
    thread.start()
    assert writing.wait(60)
    own.note_copied()
    own.progress("train pack", "run-steps", 5, 10, 1.0)
    noted.set()
    thread.join()
    own._write()
    assert (journal.read(place).copied, journal.read(place).done) == (True, 5)


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (GanbenchError("the disk is full"), FAILED),
        (ValueError("a bug"), FAILED),
        (MemoryError("no more"), OUT_OF_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), OUT_OF_MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate 9 GiB"), FAILED),  # more main memory is of no use then
        (Stopped("received SIGTERM", of_time=False), STOPPED),
        (Stopped("the job's time is nearly over", of_time=True), OUT_OF_TIME),
    ],
)
def test_how_attempts_end_is_remembered(tmp_path, error, how):
    for count in (1, 2):
        with pytest.raises(type(error)), at_train(tmp_path):
            raise error
        entry = entry_of(tmp_path)
        assert not entry.running
        assert [end.how for end in entry.ends] == [how] * count
        assert str(error) in entry.ends[-1].cause
    with at_train(tmp_path):
        assert len(entry_of(tmp_path).ends) == 2
    assert (entry_of(tmp_path).running, entry_of(tmp_path).ends) == (False, ())


def test_who_ends_for_lack_of_time_says_so_however_much_is_left():
    """With runs of ten minutes, a job ends with up to twenty minutes left; it is to ask for more time."""
    stopping = StopRequest(end=time.time() + 1_000)
    assert stopping.reason(900) is None
    assert stopping.stop(stopping.reason(1_100)).of_time


@pytest.mark.parametrize(("left", "of_time"), [(1_000, False), (60, True)])
def test_a_signal_is_for_lack_of_time_near_its_end(left, of_time):
    stopping = StopRequest(end=time.time() + left)
    with stopping.listening(), stopping.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        why = stopping.reason(1_100)
    assert why == "received SIGTERM"
    assert stopping.stop(why).of_time == of_time


def test_a_job_killed_without_a_word_is_found_out(tmp_path):
    program = IMPORTS + (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "with job_context(ExecutionSettings(folder=sys.argv[1]), 'train', Path(sys.argv[2])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path), str(file_of(tmp_path))], check=False)
    assert done.returncode == -signal.SIGKILL
    assert entry_of(tmp_path).running
    assert [end.how for end in entry_of(tmp_path).past] == [KILLED]
    with pytest.raises(GanbenchError), at_train(tmp_path):
        raise GanbenchError("again")
    assert [end.how for end in entry_of(tmp_path).ends] == [KILLED, FAILED]


def test_a_signal_after_the_work_is_done_is_no_failure(tmp_path):
    """Snakemake removes what a job has made that ends with an error."""
    with at_train(tmp_path):
        file_of(tmp_path).parent.mkdir(parents=True, exist_ok=True)
        file_of(tmp_path).touch()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    assert (entry_of(tmp_path).running, entry_of(tmp_path).ends) == (False, ())


def test_two_jobs_of_one_pack_do_not_run_at_once(tmp_path):
    """They share the pack's checkpoints and snapshots, also where a study was edited between them."""
    edited = file_of(tmp_path).with_name("pack-ba9876543210.h5")
    lock = tmp_path / ".jobs" / "train" / "pack.lock"
    for path in (file_of(tmp_path), edited):
        with job_context(ExecutionSettings(folder=str(tmp_path)), "train", path):
            assert try_lock(lock) is None
    with try_lock(lock):
        pass


def test_summaries_of_two_studies_are_not_written_at_once(tmp_path, capsys):
    """Tables, figures and report have the same names before and after a study was edited."""
    stamps = tmp_path / ".done"
    with job_context(ExecutionSettings(folder=str(tmp_path)), "report", stamps / "report-aaaaaaaaaaaa"):
        lock = tmp_path / ".jobs" / "report" / ".lock"
        assert current_holder(lock)
        assert try_lock(lock) is None
    with job_context(ExecutionSettings(folder=str(tmp_path)), "report", stamps / "report-bbbbbbbbbbbb"):
        assert current_holder(lock)


def test_a_job_that_says_nothing_for_long_is_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "MEMORY_SECONDS", 1e6)  # it writes no entry between the one here and its reading
    place = journal.path_of(tmp_path, "train", file_of(tmp_path))
    with at_train(tmp_path):
        entry = journal.read(place)
        place.write_text(json.dumps(asdict(replace(entry, beat=entry.beat - 2 * journal.SILENT_SECONDS))))
        assert journal.read(place).silent
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("{")
    assert journal.read(place) is None


def test_a_job_started_twice_is_done_once(tmp_path, capsys):
    path, yielded = file_of(tmp_path), []
    with at_train(tmp_path) as work:
        assert work is not None
        second = subprocess.Popen(
            [
                sys.executable,
                "-c",
                IMPORTS + "import sys\nfrom pathlib import Path\n"
                "with job_context(ExecutionSettings(folder=sys.argv[1]), 'train', Path(sys.argv[2])) as context:\n"
                "    print(context)",
                str(tmp_path),
                str(path),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert f"this job is being done by process {os.getpid()}" in second.stderr.readline()
        path.parent.mkdir(parents=True)
        path.touch()
    yielded, _ = second.communicate(timeout=300)
    assert yielded == "None\n"


# What jobs ask for ----------------------------------------------------------------------------------------------------


def plan(tmp_path, **machine) -> Plan:
    study = {
        "study": "tiny",
        "results": str(tmp_path),
        "grid": [{"dataset": "digits", "architecture": "fc", "learning_rate": 1e-3, "seed": [0, 1]}],
        "train": {"steps": 10},
        "machine": {"device": "cpu", **machine},
    }
    found = Plan(parse(study, origin="study"))
    results_folder.prepare(found)
    return found


def estimate(**changes) -> Estimate:
    base = Estimate("digits-fc", 2, (10, 10), 600.0, 100, 50 * 2**20, 60.0, 2**30)
    return replace(base, **changes)


def ends(found: Plan, job, *past: End) -> None:
    place = journal.path_of(found.folder, job.stage, job.path)
    place.parent.mkdir(parents=True, exist_ok=True)
    entry = journal.Entry(False, "node1", 1, "7", "", "", 0.0, ends=past)
    place.write_text(json.dumps(asdict(entry)))


def end(how: str, memory: float = 0, asked: float = 0) -> End:
    return End(how, "", "", memory, asked)


def test_jobs_ask_for_what_their_runs_are_estimated_to_take(tmp_path):
    found = plan(tmp_path)
    known = {"digits-fc": estimate()}
    (train,), (evaluate,) = found.train.values(), found.evaluate.values()
    asked = request(found, train, known)
    assert asked.gpu == 0
    assert asked.runtime == requests.OVERHEAD_MINUTES + requests.SAFETY * 20, "two runs of ten minutes"
    assert asked.mem_mb == requests.BASE_MB["cpu"] + 100
    assert request(found, evaluate, known).mem_mb == pytest.approx(
        requests.BASE_MB["cpu"] + 1024, abs=requests.ROUNDED_MB
    )
    assert request(plan(tmp_path, device="cuda"), train, known).gpu == 1
    assert request(found, found.collect, known).gpu == 0
    unknown = request(found, train, {})
    assert unknown.runtime >= requests.UNKNOWN_MINUTES


def test_references_ask_for_what_was_timed_and_for_a_gpu_where_they_use_inception(tmp_path):
    found = plan(tmp_path, device="auto")
    (reference,), (judge,) = found.reference.values(), found.judge.values()
    assert request(found, reference, {}).runtime >= requests.UNKNOWN_MINUTES
    name = reference.name
    write_timings(found.folder, Timings(reference={name: 1200.0}, reference_memory={name: 5000 * 2**20}))
    asked = request(found, reference, {})
    assert asked.runtime == requests.OVERHEAD_MINUTES + requests.SAFETY * 20
    assert asked.mem_mb == requests.BASE_MB["cpu"] + 5000
    assert asked.gpu == request(found, judge, {}).gpu == 0
    weights = {"weights": InceptionWeights(Path("weights.pth"), "6726825d")}
    for stage, job in (("judge", judge), ("reference", reference)):
        assert requests.gpus(found, stage) == 0
        getattr(found, stage)[job.name] = replace(job, task=replace(job.task, **weights))
        assert requests.gpus(found, stage) == 1
        assert requests.gpus(plan(tmp_path, device="cpu"), stage) == 0


@pytest.mark.parametrize(
    ("past", "factor"),
    [
        ([], 1),
        ([end(OUT_OF_MEMORY)], 2),
        ([end(KILLED, memory=1000, asked=1600)], 2),
        ([end(KILLED, memory=300, asked=1600)], 1),  # far from its limit: its node went down, say
        ([end(KILLED, memory=300, asked=1600)] * 2, 2),  # twice in a row is no accident
        ([end(KILLED)], 1),  # by hand, without a request: its machine was started again, say
        ([end(KILLED)] * 2, 2),
        ([end(FAILED), end(STOPPED), end(OUT_OF_TIME)], 1),
        ([end(OUT_OF_MEMORY), end(KILLED, 3000, 3200)], 4),
    ],
)
def test_who_was_short_of_memory_asks_for_more(tmp_path, past, factor):
    found = plan(tmp_path)
    (train,) = found.train.values()
    known = {"digits-fc": estimate()}
    before = request(found, train, known)
    ends(found, train, *past)
    after = request(found, train, known)
    assert after.mem_mb == factor * before.mem_mb
    assert after.runtime == before.runtime


def test_a_job_that_goes_on_beside_a_new_workflow_was_not_killed(tmp_path):
    found = plan(tmp_path)
    (train,) = found.train.values()
    known = {"digits-fc": estimate()}
    before = request(found, train, known).mem_mb
    with job_context(ExecutionSettings(folder=str(found.folder)), "train", train.path, asked_mb=100):
        assert request(found, train, known).mem_mb == before
        assert request(found, train, known, attempt=2).mem_mb == 2 * before, "this workflow began it, and saw it end"


def test_who_was_short_of_time_asks_for_more_unless_it_goes_on_where_it_was(tmp_path):
    found = plan(tmp_path)
    known = {"digits-fc": estimate()}
    for job, factor in [(*found.train.values(), 1), (*found.evaluate.values(), 4)]:
        before = request(found, job, known).runtime
        ends(found, job, end(OUT_OF_TIME), end(OUT_OF_TIME))
        assert request(found, job, known).runtime == pytest.approx(factor * before, abs=4 * requests.ROUNDED_MINUTES)


def test_nobody_asks_for_more_than_the_cluster_gives(tmp_path):
    found = plan(tmp_path, max_runtime=7, max_mem_mb=1550)
    (train,) = found.train.values()
    known = {"digits-fc": estimate(seconds=36000.0)}
    ends(found, train, *[end(OUT_OF_MEMORY)] * 9)
    asked = request(found, train, known)
    assert (asked.runtime, asked.mem_mb) == (7, 1550)


@pytest.mark.parametrize("work", ["seconds", "scoring"])
def test_work_on_packs_is_tried_as_often_as_its_time_takes(tmp_path, work):
    known = {"digits-fc": estimate(**{work: 3600.0})}
    assert attempts(plan(tmp_path), known) == 0
    short, long = (attempts(plan(tmp_path, max_runtime=minutes), known) for minutes in (10, 100))
    assert short >= 120 * requests.SAFETY / 10
    assert requests.ATTEMPTS < long < short


@pytest.mark.slow
def test_check_leaves_its_estimates_for_the_workflow(tmp_path):
    found = plan(tmp_path)
    assert stored_estimates.read_estimates(found.folder) == {}
    assert list(stored_estimates.read_estimates(found.folder).values()) == []
    estimates = check(found)
    assert [
        replace(each, parameters=tuple(each.parameters))
        for each in stored_estimates.read_estimates(found.folder).values()
    ] == estimates
    (tmp_path / "tiny" / stored_estimates.ESTIMATES).write_text("[{}]")
    assert stored_estimates.read_estimates(found.folder) == {}


def test_nothing_here_needs_torch():
    modules = "ganbench.pipeline.resources.requests, ganbench.pipeline.execution.job_context"
    program = f"import sys; import {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
