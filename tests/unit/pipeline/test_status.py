"""How a study stands: what exists, what its jobs' journal says, and what a person and a program are shown of it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml
from repository import ROOT
from typer.testing import CliRunner

from ganbench.cli import app
from ganbench.commands import status as command
from ganbench.core import locks
from ganbench.core.errors import GanbenchError
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.job_context import lock_of
from ganbench.pipeline.execution.journal import End, Entry
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings, write_estimates, write_timings
from ganbench.pipeline.results_folder import drop_stale_stamp
from ganbench.pipeline.snakemake import plan_of
from ganbench.pipeline.stage_names import STAGES
from ganbench.pipeline.status import DONE, FAILED, RUNNING, SILENT, STOPPED, WAITING, Known, listing, plain, read_status
from ganbench.study.schema import load

NOW = "2026-03-01T10:00:00+00:00"
HOSTILE = "\x1b[31mboom\x1b[0m <script>alert(1)</script> [bold]\x1b]0;title\x07 \u202e\x9b31m\nsecond line"


def written(path: Path, seeds: int = 3) -> Path:
    """A study of one method with a pack a seed."""
    content = {
        "study": "steady",
        "results": str(path.parent / "results"),
        "grid": [{"dataset": "ring8", "architecture": "mlp", "learning_rate": [1e-3], "seed": {"count": seeds}}],
        "pack": {"axes": ["learning_rate"]},
        "diagnose": ["rotation"],
        "train": {"steps": 60, "batch_size": 16},
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def study(tmp_path) -> Path:
    return written(tmp_path / "study.yaml")


@pytest.fixture
def plan(study) -> Plan:
    return Plan(load(study))


def finish(*jobs: Job) -> None:
    """Leave a job's outputs, whatever is in them."""
    for path in (path for job in jobs for path in job.files):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def say(plan: Plan, job: Job, *ends: End, **said: object) -> None:
    """Leave a job's entry in the journal."""
    entry = Entry(
        running=not ends, host="node7", pid=4, cluster_job="4711", since=NOW, at=NOW, beat=time.time(), ends=ends
    )
    place = journal.path_of(plan.folder, job.stage, job.path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(dataclasses.asdict(dataclasses.replace(entry, **said))))


def keep_log(plan: Plan, job: Job, text: str = "") -> Path:
    log = plan.folder / job.log
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    return log


def shown(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["status", *words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def holding(plan: Plan) -> AbstractContextManager[None]:
    """Hold the results folder, as a workflow does."""
    plan.folder.mkdir(parents=True)
    return locks.hold_lock(plan.folder / results_folder.LOCK, "the folder")


def state(plan: Plan, job: Job) -> str:
    (found,) = [each for each in read_status(plan).jobs if (each.job.stage, each.job.name) == (job.stage, job.name)]
    return found.state


# States


def test_of_a_study_that_never_ran_everything_waits(study, plan):
    now = read_status(plan)
    assert now.counts() == {stage: Counter({WAITING: len(plan.jobs(stage))}) for stage in STAGES}
    assert (now.done, now.held) == (False, None)
    text = shown(str(study))
    assert f"0 of 17 jobs done. There is no folder {plan.folder.absolute()}" in text
    assert "--partial" not in text
    assert not plan.folder.exists(), "a look writes nothing"
    plan.folder.mkdir(parents=True)
    assert "0 of 17 jobs done. Nobody holds the results folder" in shown(str(study))


def test_a_job_that_fails_before_its_journal_has_failed_with_the_last_line_of_its_log(study, plan):
    """A job whose program is not found on a node was waiting for ever."""
    job, starting, queued = plan.train.values()
    log = keep_log(plan, job, f"bash: line 1: exec: ganbench: not found{HOSTILE}\n\n")
    keep_log(plan, starting)  # as the shell makes it
    keep_log(plan, plan.collect, "of the former configuration, since its name has no digest\n")
    assert [state(plan, each) for each in (job, starting, queued, plan.collect)] == [FAILED, WAITING, WAITING, WAITING]
    text = shown(str(study), code=1)
    assert f"\ntrain {job.name} failed\n  failed before it began: {plain('second line')}\n  {log}\n" in text
    log.write_text("ganbench: not found\n")
    (told,) = [each for each in json.loads(shown(str(study), "--json", code=1))["jobs"] if each["state"] == FAILED]
    assert (told["cause"], told["attempts"]) == ("failed before it began: ganbench: not found", 0)
    lock = lock_of(journal.path_of(plan.folder, job.stage, job.path), job.path)
    lock.parent.mkdir(parents=True)
    with locks.hold_lock(lock, "train"):
        assert state(plan, job) == WAITING, "for another job of its pack, as its log says"
    say(plan, job)
    assert state(plan, job) == RUNNING


def test_what_the_journal_says(plan):
    job = next(iter(plan.train.values()))
    assert state(plan, job) == WAITING
    say(plan, job)
    assert state(plan, job) == RUNNING
    say(plan, job, beat=time.time() - journal.SILENT_SECONDS - 5)
    assert state(plan, job) == SILENT
    for how, expected in (
        (journal.STOPPED, STOPPED),
        (journal.OUT_OF_TIME, STOPPED),
        (journal.OUT_OF_MEMORY, FAILED),
        (journal.FAILED, FAILED),
    ):
        say(plan, job, End(journal.STOPPED, "", NOW, 1.0), End(how, "why", NOW, 1.0))
        assert state(plan, job) == expected, "the last attempt decides"
    finish(job)
    assert state(plan, job) == DONE, "what exists is done, whatever the journal says"


def test_a_job_is_done_when_all_its_outputs_are_there(plan):
    finish(plan.collect)
    assert state(plan, plan.collect) == DONE
    plan.collect.outputs[-1].unlink()
    assert state(plan, plan.collect) == WAITING


def test_entries_that_are_not_of_this_study_or_damaged_count_for_nothing(plan):
    job = next(iter(plan.train.values()))
    older = dataclasses.replace(job, outputs=(job.path.with_name(f"{job.name}-0123456789ab.h5"),))
    say(plan, older)
    assert state(plan, job) == WAITING
    journal.path_of(plan.folder, job.stage, job.path).write_text('{"running": true')
    assert state(plan, job) == WAITING


def test_causes_say_how_an_attempt_ended(plan):
    job = next(iter(plan.train.values()))

    def cause(how: str, why: str) -> str:
        say(plan, job, End(how, why, NOW, 1.0))
        return next(each.cause for each in read_status(plan).jobs if each.job.digest == job.digest)

    assert cause(journal.FAILED, "no such file") == "no such file"
    assert cause(journal.OUT_OF_MEMORY, "tried 3 GB") == "out of memory: tried 3 GB"
    assert cause(journal.OUT_OF_MEMORY, "CUDA out of memory. Tried") == "CUDA out of memory. Tried"
    assert cause(journal.OUT_OF_TIME, "") == "out of time"


# For people


def test_a_person_sees_where_jobs_run_how_far_they_are_and_why_they_failed(study, plan):
    runs, fails, other = plan.train.values()
    finish(*plan.prepare.values(), *plan.judge.values(), other)
    assert "--partial" not in shown(str(study)), "a run that is not scored is in no report"
    finish(plan.evaluate[other.name])
    say(plan, runs, what="train", unit="run-steps", done=1200.0, total=40000.0, rate=100.0, memory_mb=812.0)
    say(plan, fails, End(journal.STOPPED, "", NOW, 1.0), End(journal.FAILED, HOSTILE + " long" * 90, NOW, 1.0))
    log = keep_log(plan, fails)
    text = shown(str(study), code=1)
    assert f"train {runs.name} runs (node7, job 4711)\n  1,200/40,000 run-steps, 100/s, 6.5 min left, 812 MB\n" in text
    assert f"train {fails.name} failed (node7, job 4711, attempt 2)\n" in text
    assert f"\n  {plain(HOSTILE)} long" in text
    (cause,) = [line for line in text.splitlines() if plain(HOSTILE) in line]
    assert len(cause) < 250, "a long cause is shortened"
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), "what a cause says commands no terminal"
    assert f"\n  {log}\n" in text, "a path stays whole, to be copied"
    assert re.search(r"^train +0 +1 +1 +1 ", text, re.MULTILINE)
    assert re.search(r"^all +11 +1 +1 +4 ", text, re.MULTILINE)
    assert f"ganbench report {study} --partial shows the present results." in text


def test_silent_and_stopped_jobs_say_what_that_means(study, plan):
    silent, stopped, _ = plan.evaluate.values()
    say(plan, silent, beat=time.time() - 1000)
    say(plan, stopped, End(journal.STOPPED, "stopped: received SIGTERM; step 20 is kept", NOW, 1.0))
    text = shown(str(study))
    assert f"{silent.name} has been silent since {NOW}" in text
    assert "killed, most likely" in text
    assert f"{stopped.name} stopped, and goes on at its next attempt" in text
    assert "step 20 is kept\n  no log" in text
    assert re.search(r"^stage +waiting +running +silent +stopped +failed +done", text, re.MULTILINE)
    assert max(len(line) for line in text.splitlines() if re.match("stage|train|all", line)) <= 80


def test_of_many_jobs_some_are_shown(tmp_path):
    study = written(tmp_path / "many.yaml", seeds=60)
    plan = Plan(load(study))
    jobs = list(plan.train.values())
    for job in jobs[:35]:
        say(plan, job, End(journal.FAILED, "boom", NOW, 1.0))
    for job in jobs[35:]:
        say(plan, job)
    text, whole = shown(str(study), code=1), shown(str(study), "--all", code=1)
    assert (text.count(" failed ("), text.count(" runs (")) == (command.ROWS, command.ROWS)
    assert "15 more failed; --all shows them" in text
    assert "5 more running; --all shows them" in text
    assert (whole.count(" failed ("), whole.count(" runs (")) == (35, 25)
    assert "--all" not in whole


def test_watching_ends_with_the_study(study, plan, monkeypatch):
    jobs = [job for stage in STAGES for job in plan.jobs(stage).values()]
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        finish(*jobs[: 9 * len(naps)])

    monkeypatch.setattr(command.time, "sleep", nap)
    with holding(plan):
        assert "17 of 17 jobs done." in shown(str(study), "--watch")
    assert naps == [command.WATCH_SECONDS] * 2


def test_a_watch_ends_when_nothing_happens_any_more(study, plan, monkeypatch):
    """After a failure it went on for ever."""
    first, *_ = plan.train.values()
    say(plan, first)
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        say(plan, first, End(journal.FAILED, "boom", NOW, 1.0))

    monkeypatch.setattr(command.time, "sleep", nap)
    assert "boom" in shown(str(study), "--watch", code=1)
    assert naps == [command.WATCH_SECONDS], "a job ran at the first look"
    say(plan, first, End(journal.STOPPED, "", NOW, 1.0))
    assert "boom" not in shown(str(study), "--watch", code=1), "the study is not done"
    assert len(naps) == 1


def test_an_interrupted_watch_ends_quietly(study, plan, monkeypatch):
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", interrupt)
    with holding(plan):
        assert "0 of 17 jobs done" in shown(str(study), "--watch", code=130)


def test_the_time_left_of_a_checked_study_is_told(study, plan):
    """Two packs wait for one that runs, which take a minute each, and one job at a time was counted on."""
    finish(*(job for stage in STAGES if stage != "train" for job in plan.jobs(stage).values()))
    first, *_ = plan.train.values()
    write_estimates(plan.folder, [Estimate(method, 3, (1, 1), 60.0, 1, 1, 0.0, 1) for method in plan.grid.methods])
    write_timings(plan.folder, Timings(parallel_jobs=1))
    say(plan, first, done=25.0, total=100.0, rate=5.0, unit="run-steps")
    assert read_status(plan).seconds_left == 15.0 + 2 * 60.0
    assert "14 of 17 jobs done, about 2.2 min left." in shown(str(study))
    finish(*plan.train.values())
    assert "17 of 17 jobs done." in shown(str(study))
    assert read_status(plan).seconds_left == 0.0


def test_looks_in_a_row_open_the_files_of_a_done_job_once(plan, monkeypatch):
    """The journal of a pack that is done, and of one that waits and has none, which is asked for at no look."""
    write_timings(plan.folder, Timings(parallel_jobs=1))
    first, second, _ = plan.train.values()
    finish(first)
    say(plan, first, running=False, worked=((0.0, 60.0),))
    read, known, real = [], Known(), journal.read
    monkeypatch.setattr(journal, "read", lambda path: read.append(path) or real(path))
    read_status(plan, known)
    read_status(plan, known)
    assert read == [journal.path_of(plan.folder, "train", first.path)]
    finish(second)
    read_status(plan, known)
    assert read[1:] == [journal.path_of(plan.folder, "train", second.path)]


def test_tracking_is_not_done_without_its_store(study, plan):
    """Snakemake knows the stamp alone, which is removed before it looks."""
    finish(*plan.all_jobs())
    drop_stale_stamp(plan)
    assert (read_status(plan).done, plan.needed([plan.track])) == (True, [])
    (plan.study.results / "mlflow.db").unlink()
    assert [each.job.stage for each in read_status(plan).of(WAITING)] == ["track"]
    assert plan.needed([plan.track]) == [plan.track]
    drop_stale_stamp(plan)
    assert [job for job in plan.all_jobs() if not job.path.exists()] == [plan.track], "the other stamps stay"


@pytest.mark.parametrize("verify", [True, False])
def test_a_workflow_forgets_tracking_whose_store_is_lost_when_it_begins(study, plan, verify):
    finish(plan.track)
    plan_of(yaml.safe_load(study.read_text()), "study", files=[str(study)], verify=verify)
    assert plan.track.done
    (plan.study.results / "mlflow.db").unlink()
    plan_of(yaml.safe_load(study.read_text()), "study", files=[str(study)], verify=verify)
    assert plan.track.path.exists() == (not verify), "processes of jobs change nothing"


def test_tracking_to_a_server_is_done_by_its_stamp(study):
    content = yaml.safe_load(study.read_text()) | {"track": {"uri": "http://127.0.0.1:9"}}
    study.write_text(yaml.safe_dump(content))
    plan = Plan(load(study))
    assert plan.track.files == plan.track.outputs == (plan.track.path,)


# For programs


def test_programs_get_every_job(study, plan):
    first, second, third = plan.train.values()
    finish(first)
    say(plan, second, done=25.0, total=100.0, rate=5.0, unit="run-steps", memory_mb=3.5)
    say(plan, third, End(journal.FAILED, HOSTILE, NOW, 1.0))
    log = keep_log(plan, third)
    found = json.loads(shown(str(study), "--json", code=1))
    assert (found["study"], found["done"], found["held_by"], found["seconds_left"]) == ("steady", False, None, None)
    assert found["stages"]["train"] == {WAITING: 0, RUNNING: 1, SILENT: 0, STOPPED: 0, FAILED: 1, DONE: 1}
    jobs = {(job["stage"], job["name"]): job for job in found["jobs"]}
    assert len(jobs) == 17
    assert jobs["train", first.name] == {
        "stage": "train",
        "name": first.name,
        "state": DONE,
        "file": str(first.path),
        "log": None,
    }
    runs = jobs["train", second.name]
    assert (runs["host"], runs["cluster_job"], runs["seconds_left"], runs["memory_mb"]) == ("node7", "4711", 15.0, 3.5)
    assert (jobs["train", third.name]["log"], jobs["train", third.name]["seconds_left"]) == (str(log), None)
    assert jobs["train", third.name]["cause"] == plain(HOSTILE)
    with pytest.raises(GanbenchError, match="choose one"):
        CliRunner().invoke(app, ["status", str(study), "--json", "--watch"], catch_exceptions=False)


def test_plain_text_is_one_line_that_commands_nothing():
    shown = r"\x1b[31mboom\x1b[0m <script>alert(1)</script> [bold]\x1b]0;title\x07 \u202e\x9b31m second line"
    assert plain(HOSTILE) == shown
    assert plain("ordinary — text, ∞ too") == "ordinary — text, ∞ too"


# A look from outside


def test_a_look_takes_no_lock_writes_nothing_and_says_who_holds_the_folder(study, plan):
    plan.folder.mkdir(parents=True)
    with locks.hold_lock(plan.folder / results_folder.LOCK, "the results folder"):
        before = {path: path.stat().st_mtime_ns for path in plan.folder.parent.rglob("*")}
        now = read_status(plan)
        assert {path: path.stat().st_mtime_ns for path in plan.folder.parent.rglob("*")} == before
        assert now.held.startswith(f"process {os.getpid()} of ")
        assert f"in use by process {os.getpid()}" in " ".join(shown(str(study)).split())
    assert read_status(plan).held is None


def test_a_lock_is_held_while_its_holder_lives_or_renews_it(tmp_path):
    path = tmp_path / "lock"

    def left(machine: str, host: str, pid: int, seconds: float) -> str | None:
        path.write_text(json.dumps({"user": "u", "host": host, "machine": machine, "pid": pid, "since": NOW}))
        os.utime(path, (time.time() - seconds,) * 2)
        return locks.current_holder(path)

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here, away = (locks.machine_id(), socket.gethostname()), ("another", "node7")
    assert left(*here, os.getpid(), 1e6), "a process that sleeps renews nothing and holds its lock"
    assert left(*here, gone.pid, 1) is None
    assert left(*away, gone.pid, 1) == f"process {gone.pid} of u on node7, since {NOW}"
    assert left(*away, os.getpid(), locks.LEASE_SECONDS + 60) is None
    path.write_text("damaged")
    assert locks.current_holder(path) is None


def test_every_folder_is_read_once(plan, monkeypatch):
    finish(*plan.train.values())
    for job in plan.evaluate.values():
        say(plan, job)
    read, names = Counter(), os.listdir

    def counted(path: Path) -> list[str]:
        read[path] += 1
        return names(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", counted)
        patched.setattr(Path, "exists", lambda path: pytest.fail(f"asked for {path} alone"))
        patched.setattr(Path, "glob", lambda path, _: pytest.fail(f"searched {path}"))
        now = read_status(plan)
    assert len(now.of(DONE)) == 3
    assert plan.folder / "train" in read
    assert {count for path, count in read.items() if plan.folder in path.parents} == {1}, "sources aside"


def test_what_was_listed_stays_so(tmp_path):
    there = listing()
    assert not there(tmp_path / "a")
    (tmp_path / "a").touch()
    assert not there(tmp_path / "a"), "one look is of one moment"
    assert listing()(tmp_path / "a")
    assert not listing()(tmp_path / "a" / "b")


@pytest.mark.cluster
def test_a_look_needs_no_torch(tmp_path):
    study = written(tmp_path / "large.yaml", seeds=1000)
    code = (
        "import sys; from ganbench.cli import app; app(sys.argv[1:], standalone_mode=False);"
        "assert not {'torch', 'scipy', 'pandas', 'mlflow'} & set(sys.modules)"
    )
    words = [sys.executable, "-c", code, "status", str(study)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^all +3,008 ", done.stdout, re.MULTILINE)


def test_logs_are_where_the_workflow_writes_them(plan):
    game = "".join(path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
    logs = dict(re.findall(r'^rule (\w+):(?:(?!^rule ).)*?^    log:\n +f"\{RESULTS\}/(.*?)"', game, re.DOTALL | re.M))
    for stage in STAGES:
        for job in plan.jobs(stage).values():
            told = logs[stage].replace("{{", "{").replace("}}", "}").format(name=job.name, digest=job.digest[:12])
            assert job.log == told
