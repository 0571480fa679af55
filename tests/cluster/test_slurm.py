"""The whole workflow on a real Slurm cluster of two nodes, left alone and then with everything going wrong.

Whatever happens to its jobs, a study ends with the results that it has on a laptop, bit for bit. The cluster's profile
is the shipped one, with the settings of this cluster and with less patience.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from comparing import differences, runs_of
from needs import need
from slurm_cluster import GPUS, MEMORY_MB, NODES, Cluster, Job, cluster, missing
from workflow_project import CORES, Project, wait_for

from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import KILLED, OUT_OF_TIME, STOPPED, End
from ganbench.pipeline.plan import Plan
from ganbench.study.schema import parse

__all__ = ["cluster"]  # the fixture

POINTS = {"dataset": "hungry.py", "architecture": "mlp", "objective": ["non_saturating", "wasserstein"]}
GAMES = {"game": "bilinear", "dynamics": "slow.py", "optimizer": "sgd"}
STUDY = {
    "study": "tiny",
    "title": "A tiny study",
    "grid": [
        POINTS | {"learning_rate": [1.0e-3], "seed": [0, 1]},
        GAMES | {"learning_rate": [0.01, 0.02, 0.03], "seed": [0, 1]},
    ],
    "train": {"steps": 1000, "batch_size": 16, "snapshots": {"count": 5}},
    "pack": {"axes": ["seed"], "execution": "eager"},  # a step that is replayed makes no pause
    "evaluate": {"samples": 100},
    "diagnose": [{"diagnostic": "path", "where": {"learning_rate": 0.01}}],
    "track": {"uri": "sqlite:///results/mlflow.db"},
}
RECORDED_SECONDS, UNFINISHED = 120, ("PENDING", "RUNNING", "COMPLETING")
FILES = {"train": 5, "evaluate": 2, "diagnose": 1}  # of results, a file each pack

# Two parts of a user's own, which a file beside them makes hungry and slow: no result tells.
# Memory is what a scheduler counts, not what a machine must have: one piece of it, mapped again and again.
HUNGRY = '''"""Eight Gaussians, for whose loading there is too little memory while there is a file `hungry`."""

import os
import time
from dataclasses import dataclass
from mmap import MAP_POPULATE, MAP_SHARED, mmap
from pathlib import Path
from typing import ClassVar

from ganbench.data import Dataset, ring8

PIECE_MB, PIECES = 64, 80


@dataclass(frozen=True)
class Hungry(Dataset):
    judge: ClassVar[str] = "mixture"

    @property
    def spec(self):
        return ring8.Ring8().spec

    def load(self):
        if Path("hungry").exists():
            file = os.memfd_create("ballast")
            os.truncate(file, PIECE_MB << 20)
            ballast = []
            for _ in range(PIECES):
                ballast.append(mmap(file, PIECE_MB << 20, flags=MAP_SHARED | MAP_POPULATE))
                time.sleep(0.03)
            time.sleep(2)  # two samples of the scheduler's
        return ring8.Ring8().load()
'''

SLOW = '''"""Simultaneous descent, with a pause in every step of as many seconds as a file `slow` says at that time."""

import time
from dataclasses import dataclass
from pathlib import Path

from ganbench.dynamics import simultaneous


@dataclass(frozen=True)
class Slow(simultaneous.Simultaneous):
    def step(self, *arguments):
        time.sleep(float(Path("slow").read_text()))
        return super().step(*arguments)
'''

# Snakemake's plugin asks about its jobs more and more seldom while none of them succeeds, in the end every three
# minutes: kind to a cluster, and too slow for tests in which jobs are to fail.
ASKING_OFTEN = """
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
main()
"""

RESULTS = ("train", "evaluate", "diagnose")
LOOK_SECONDS = 0.2


def on_cluster(*arguments: str, **machine: Any) -> tuple[str, ...]:
    """Arguments of `snakemake` for the cluster.

    Args:
        arguments: of one's own.
        machine: settings of the study's machine.
    """
    machine = {"device": "auto", "max_mem_mb": MEMORY_MB, "checkpoint_seconds": 0} | machine
    settings = ", ".join(f"{name}: {value}" for name, value in machine.items())
    profile = ("--workflow-profile", "workflow/profiles/slurm", "--config", f"machine={{{settings}}}")
    return *profile, "--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10", *arguments


def created(folder: Path, cluster: Cluster | None = None, *, pause: float = 0.0) -> Project:
    """The study's project, for this machine or for a cluster; steps of the games begin with so many seconds' pause."""
    project = Project.create(folder, STUDY)
    (project.folder / "hungry.py").write_text(HUNGRY)
    (project.folder / "slow.py").write_text(SLOW)
    set_pause(project, pause)
    if cluster is None:
        return project
    return replace(project, environment=cluster.environment, program=(sys.executable, "-c", ASKING_OFTEN))


def set_pause(project: Project, seconds: float) -> None:
    """Change how long steps of the games pause, also of packs that are in training."""
    changed = project.folder / "slow.new"
    changed.write_text(str(seconds))
    changed.replace(project.folder / "slow")


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Project]]:
    """The study as one machine computes it, which begins at once; to be called for the project, once it is done."""
    need(missing())
    project = created(tmp_path_factory.mktemp("laptop") / "project")
    with project.running(*CORES, "--until", "collect") as process:

        def finished() -> Project:
            if process.returncode is None:
                project.end(process).succeeded()
            return project

        yield finished


def assert_same_results(project: Project, reference: Project) -> None:
    """Everything of a study's runs, but clocks, is as another project has it, bit for bit."""
    files = [path for stage in RESULTS for path in sorted((project.results / stage).glob("*.h5"))]
    assert len(files) > 0
    for path in files:
        name = path.relative_to(project.results)
        here, there = runs_of(path), runs_of(reference.results / name)
        assert here.keys() == there.keys(), name
        for digest in here:
            assert differences(here[digest], there[digest]) == [], name


def games_of(project: Project) -> list[str]:
    """Where the games' packs will be, once they are trained."""
    with chdir(project.folder):
        packs = Plan(parse(STUDY, origin="the study")).train
    return [str(job.path) for name, job in packs.items() if name.startswith("bilinear")]


def counts(project: Project) -> dict[str, int]:
    """How many files a project has of every stage that leaves results of runs."""
    return {stage: len(list((project.results / stage).glob("*.h5"))) for stage in RESULTS}


# Looking on ----------------------------------------------------------------------------------------------------------


@dataclass
class Aux:
    """What a project's jobs said of themselves while somebody looked on; `train/bilinear-...` each."""

    ends: dict[str, tuple[End, ...]] = field(default_factory=dict)  # how the attempts of jobs ended
    placed: list[dict[str, tuple[str, str]]] = field(default_factory=list)  # at every look: nodes and GPUs of jobs


@contextmanager
def looking_on(project: Project) -> Iterator[Aux]:
    """Look on for as long as the block lasts."""
    seen, over = Aux(), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            placed = {}
            for path in (project.results / journal.FOLDER).glob("*/*.json"):
                entry, name = journal.read(path), f"{path.parent.name}/{path.stem}"
                if entry is None:
                    continue
                if entry.ends:
                    seen.ends[name] = entry.ends
                if entry.running and path.parent.name in RESULTS:
                    with suppress(OSError, KeyError):  # it has just ended
                        placed[name] = _place_of(entry.pid)
            seen.placed.append(placed)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _place_of(process: int) -> tuple[str, str]:
    """The node and the GPU that a process was given."""
    given = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    variables = dict(item.split("=", 1) for item in given if "=" in item)
    return variables["SLURMD_NODENAME"], variables.get("CUDA_VISIBLE_DEVICES", "none")


def training(project: Project) -> set[str]:
    """The packs that have come as far as a checkpoint, and are not done."""
    return {path.parent.name for path in (project.results / "train" / ".resume").glob("*/*.h5")}


def jobs_of(cluster: Cluster, project: Project, rule: str) -> dict[str, list[Job]]:
    """A project's jobs of a rule: by what they do, all that were submitted to do it, in this order."""
    found: dict[str, list[Job]] = {}
    for job in cluster.jobs():
        told, _, digest = job.comment.rpartition("_")
        kind, _, name = told.partition("_wildcards_")
        if job.folder == project.folder and kind == f"rule_{rule}":
            found.setdefault(f"{name}-{digest}", []).append(job)
    return found


def wait_for_records(cluster: Cluster, *projects: Project) -> None:
    """Wait until Slurm has recorded the end of every job: Snakemake goes on as soon as a job's files are there."""
    folders, deadline = {project.folder for project in projects}, time.monotonic() + RECORDED_SECONDS
    while running := [job for job in cluster.jobs() if job.folder in folders and job.state in UNFINISHED]:
        assert time.monotonic() < deadline, f"{running} still run"
        time.sleep(0.5)


# The tests -----------------------------------------------------------------------------------------------------------


def test_a_study_runs_on_both_nodes_with_a_gpu_for_each_job(
    laptop: Callable[[], Project], cluster: Cluster, tmp_path: Path
) -> None:
    project = created(tmp_path / "project", cluster, pause=0.02)

    with looking_on(project) as seen:
        project.snakemake(*on_cluster()).succeeded()

    jobs = cluster.jobs()
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert {job.node for job in jobs} == set(NODES)
    assert seen.ends == {}
    for at_once in seen.placed:
        places = list(at_once.values())
        assert len(set(places)) == len(places), f"jobs that ran at once shared a GPU: {at_once}"
    both = [{(node, str(gpu)) for gpu in range(len(GPUS))} for node in NODES]
    assert any(places <= set(at_once.values()) for at_once in seen.placed for places in both), "no two ran on one node"
    assert (project.results / "report.html").exists()
    assert counts(project) == FILES
    assert_same_results(project, laptop())


def test_what_stops_jobs_changes_no_result(laptop: Callable[[], Project], cluster: Cluster, tmp_path: Path) -> None:
    # No pack is done before the test has done with it, however slow the machine is.
    project = created(tmp_path / "project", cluster, pause=0.5)
    limited = created(tmp_path / "limited", cluster, pause=0.1)
    (project.folder / "hungry").touch()
    [pack, *_] = games_of(limited)

    # Two studies at once: one pack whose training takes longer than a job may, and a study that is disturbed. That one
    # starts later: a minute is the least that Slurm gives a job, and on a busy machine much of it goes by on starting.
    with (
        looking_on(limited) as seen_limited,
        looking_on(project) as seen,
        limited.running(*on_cluster(pack, "--retries", "100", max_runtime=1)) as unattended,
    ):
        wait_for(lambda: in_training(cluster, limited), "training that takes long", unattended, every=0.2)
        [stays] = in_training(cluster, limited)  # the other node goes, while packs train on both
        with project.running(*on_cluster("--until", "collect")) as process:
            wait_for(lambda: starved(cluster, project), "a job killed for memory", process, every=0.2)
            set_pause(project, 0.05)  # a chunk of steps takes less time than Slurm leaves a cancelled job
            both = "training on both nodes"
            wait_for(lambda: in_training(cluster, project).keys() == set(NODES), both, process, every=0.2)
            found = in_training(cluster, project)
            (cancelled, at_end), (lost, at_loss) = found.pop(stays), found.popitem()[1]
            cluster.cancel(at_end)
            cluster.down(at_loss.node)
            cluster.set_down(at_loss.node)
            again = "a job that is queued again"
            wait_for(lambda: cluster.about(at_loss)["Restarts"] == "1", again, process, every=0.5)
            cluster.up(at_loss.node)
            set_pause(project, 0)
            project.end(process).succeeded()
        wait_for(lambda: times_out_of_time(seen_limited) >= 2, "jobs out of time", unattended, every=0.5)
        limited.kill(unattended)
        wait_for_records(cluster, limited)  # without pauses, an attempt under way would get done
        set_pause(limited, 0)
        limited.snakemake(*on_cluster(pack)).succeeded()  # with time enough, also for a slow start on a busy machine
    wait_for_records(cluster, project, limited)

    # Killed for memory, and given more.
    [(data, [killed, fed])] = jobs_of(cluster, project, "prepare").items()
    assert (killed.state, fed.state) == ("FAILED", "COMPLETED")
    asked = [int(cluster.about(job)["MinMemoryNode"].removesuffix("M")) for job in (killed, fed)]
    assert asked[1] == 2 * asked[0]
    assert [end.how for end in seen.ends[f"prepare/{data}"]] == [KILLED]
    # Told to end, and submitted again.
    assert [job.state for job in jobs_of(cluster, project, "train")[cancelled]] == ["CANCELLED", "COMPLETED"]
    assert [end.how for end in seen.ends[f"train/{cancelled}"]] == [STOPPED]
    assert "goes on from step" in log(project, cancelled)
    # Gone with its node, and begun again by Slurm itself. After a minute Slurm tells the lost node once more to end its
    # job; if that runs there again by then, it is one for Snakemake.
    first, *others = jobs_of(cluster, project, "train")[lost]
    assert cluster.about(first)["Restarts"] == "1"
    assert [first, *others][-1].state == "COMPLETED"
    assert {end.how for end in seen.ends[f"train/{lost}"]} == {KILLED}
    assert "goes on from step" in log(project, lost)
    # Out of time, again and again.
    [(name, [*attempts, last])] = jobs_of(cluster, limited, "train").items()
    assert len(attempts) >= 2
    assert {end.how for end in seen_limited.ends[f"train/{name}"]} == {OUT_OF_TIME}
    assert {cluster.about(job)["TimeLimit"] for job in attempts} == {"00:01:00"}
    assert {job.state for job in attempts[:2]} <= {"FAILED", "TIMEOUT"}
    assert last.state == "COMPLETED"
    assert "goes on from step" in log(limited, name)

    assert counts(project) == FILES
    assert_same_results(project, laptop())
    assert counts(limited) == {"train": 1, "evaluate": 0, "diagnose": 0}
    assert_same_results(limited, laptop())


def times_out_of_time(seen: Aux) -> int:
    """How many attempts ran out of time, of jobs that somebody looked on at."""
    return sum(end.how == OUT_OF_TIME for ends in seen.ends.values() for end in ends)


def starved(cluster: Cluster, project: Project) -> bool:
    """Whether the first job to load the examples is over."""
    return any(jobs[0].state == "FAILED" for jobs in jobs_of(cluster, project, "prepare").values())


def in_training(cluster: Cluster, project: Project) -> dict[str, tuple[str, Job]]:
    """By node: a pack that is being trained there, with its job."""
    begun = training(project)
    packs = [(name, jobs[-1]) for name, jobs in jobs_of(cluster, project, "train").items()]
    return {job.node: (name, job) for name, job in packs if job.state == "RUNNING" and name.rpartition("-")[0] in begun}


def test_a_submission_that_was_killed_starts_again_beside_its_jobs(
    laptop: Callable[[], Project], cluster: Cluster, tmp_path: Path
) -> None:
    project = created(tmp_path / "project", cluster, pause=0.1)
    packs = games_of(project)[:2]
    command = on_cluster(*packs, device="cpu")

    with project.running(*command) as process:
        wait_for(lambda: len(training(project)) >= 2, "training of two packs", process)
        slow = suspended(project)
        project.kill(process)
    with project.running(*command) as process:
        wait_for(lambda: waiting(project) >= slow.keys(), "copies that wait", process, every=0.5)
        before = {job.number: job.state for job in cluster.jobs()}
        for number in slow.values():
            os.kill(number, signal.SIGCONT)
        set_pause(project, 0)
        project.end(process).succeeded()

    wait_for_records(cluster, project)
    assert len(slow) == len(packs)
    for name, jobs in jobs_of(cluster, project, "train").items():
        assert [before[job.number] for job in jobs] == ["RUNNING", "RUNNING"]
        assert {job.state for job in jobs} == {"COMPLETED"}
        assert log(project, name).endswith("waiting for that\n"), "the copy did more than take the results"
    assert counts(project) == {"train": len(packs), "evaluate": 0, "diagnose": 0}
    assert_same_results(project, laptop())


def suspended(project: Project) -> dict[str, int]:
    """Stop all packs in training for as long as one likes; by name, their processes."""
    found = {}
    for path in (project.results / journal.FOLDER / "train").glob("*.json"):
        entry = journal.read(path)
        if entry is not None and entry.running and path.stem.rpartition("-")[0] in training(project):
            os.kill(entry.pid, signal.SIGSTOP)
            found[path.stem] = entry.pid
    return found


def waiting(project: Project) -> set[str]:
    """The packs that a second job would train, and waits for the first."""
    logs = (project.results / "logs" / "train").glob("*.log")
    return {path.stem for path in logs if "waiting for that" in path.read_text()}


def log(project: Project, name: str) -> str:
    """What the jobs of a pack wrote."""
    return (project.results / "logs" / "train" / f"{name}.log").read_text()
