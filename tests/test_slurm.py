"""The whole workflow on a real Slurm cluster of two nodes, left alone and then with everything going wrong.

Whatever happens to its jobs, a study ends with the results that it has on a laptop, bit for bit. The cluster's profile is
the shipped one; only what a cluster's administrator and a study's author would set, and how long to wait, are changed.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import GPUS, MEMORY_MB, NODES, Cluster, Job, cluster, missing
from needs import need
from workflow_example import CORES, PROFILE, Project, clocks_of, differences, runs_of, wait_for

from ganbench.stages import journal
from ganbench.stages.journal import KILLED, OUT_OF_TIME, STOPPED, End

__all__ = ["cluster"]  # the fixture

GAMES = {"game": "bilinear", "dynamics": ["simultaneous", "alternating", "extragradient"], "update": "sgd"}
STUDY = {
    "study": "tiny",
    "title": "A tiny study",
    "grid": [
        {
            "dataset": "hungry.py",
            "architecture": "mlp",
            "objective": ["non_saturating", "wasserstein"],
            "learning_rate": [1.0e-3],
            "seed": [0, 1],
            "train": {"steps": 2000},
        },
        GAMES | {"learning_rate": [0.01], "seed": [0, 1], "train": {"steps": 10_000}},
    ],
    "train": {"batch_size": 16, "snapshots": {"count": 5}},
    "evaluate": {"samples": 100},
    "diagnose": [{"diagnostic": "path", "of": {"dynamics": "extragradient"}}],
    "track": {"uri": "sqlite:///results/mlflow.db"},
}
PACKS = 5

# Trains for longer than two of the shortest jobs that Slurm knows.
LONG = {"game": "bilinear", "dynamics": "simultaneous", "update": "adam", "learning_rate": 0.001, "seed": [0, 1]}
LONG_STUDY = STUDY | {"grid": [LONG | {"train": {"steps": 160_000}}], "diagnose": []}

# Two players of a number each, and eight points: what they need of a node is what their libraries do. Memory here is what
# a scheduler counts, not what a machine must have: one piece of it, mapped again and again.
HUNGRY = '''"""Eight Gaussians, for whose loading there is too little memory while there is a file `hungry`."""

import os
import time
from dataclasses import dataclass
from mmap import MAP_POPULATE, MAP_SHARED, mmap
from pathlib import Path
from typing import ClassVar

from ganbench.data import ring8

PIECE_MB, PIECES = 64, 80


@dataclass(frozen=True)
class Dataset:
    judge: ClassVar[str] = "mixture"

    @property
    def spec(self):
        return ring8.Dataset().spec

    def load(self):
        if Path("hungry").exists():
            file = os.memfd_create("ballast")
            os.truncate(file, PIECE_MB << 20)
            ballast = []
            for _ in range(PIECES):
                ballast.append(mmap(file, PIECE_MB << 20, flags=MAP_SHARED | MAP_POPULATE))
                time.sleep(0.05)
        return ring8.Dataset().load()
'''

# Snakemake's plugin asks about its jobs more and more seldom while none of them succeeds, after up to three minutes: right
# for a cluster, and too slow for tests in which jobs are to fail. Everything else is Snakemake's `main`.
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
    machine = {"device": "auto", "most_memory_mb": MEMORY_MB, "checkpoint_seconds": 0} | machine
    settings = ", ".join(f"{name}: {value}" for name, value in machine.items())
    profile = ("--workflow-profile", "workflow/profiles/slurm", "--config", f"machine={{{settings}}}")
    return *profile, "--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "10", *arguments


def created(folder: Path, study: dict[str, Any], cluster: Cluster | None = None) -> Project:
    """A project with a study, for this machine or for a cluster."""
    project = Project.create(folder, study)
    (project.folder / "hungry.py").write_text(HUNGRY)
    if cluster is None:
        return project
    return replace(project, environment=cluster.environment, program=("-c", ASKING_OFTEN))


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Project]]:
    """Both studies as one machine computes them, which begins at once; to be called for the project, once it is done."""
    need(missing())
    study = STUDY | {"grid": STUDY["grid"] + LONG_STUDY["grid"]}
    project = created(tmp_path_factory.mktemp("laptop") / "project", study)
    with project.running(*PROFILE, *CORES, "--until", "train", "evaluate", "diagnose") as process:

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


def counts(project: Project) -> dict[str, int]:
    """How many files a project has of every stage that leaves results of runs."""
    return {stage: len(list((project.results / stage).glob("*.h5"))) for stage in RESULTS}


# Looking on ----------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What a project's jobs said of themselves while somebody looked on; `train/bilinear-...` each."""

    ends: dict[str, tuple[End, ...]] = field(default_factory=dict)  # how the attempts of jobs ended
    placed: list[dict[str, tuple[str, str]]] = field(default_factory=list)  # at every look: nodes and GPUs of jobs


@contextmanager
def looking_on(project: Project) -> Iterator[Seen]:
    """Look on for as long as the block lasts."""
    seen, over = Seen(), threading.Event()

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
                    with suppress(OSError):  # it has just ended
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


def training(project: Project) -> list[str]:
    """The packs that have come as far as a checkpoint, and are not done."""
    return sorted(path.parent.name for path in (project.results / "train" / ".resume").glob("*/*.h5"))


def jobs_of(cluster: Cluster, project: Project, rule: str, name: str = "") -> list[Job]:
    """A project's jobs of a rule, and of a pack, in the order in which they were submitted."""
    jobs = [job for job in cluster.jobs() if job.comment.startswith(f"rule_{rule}_wildcards_{name}")]
    return [job for job in jobs if cluster.about(job)["WorkDir"] == str(project.folder)]


# The tests -----------------------------------------------------------------------------------------------------------


def test_a_study_runs_on_both_nodes_with_a_gpu_for_each_job(
    laptop: Callable[[], Project], cluster: Cluster, tmp_path: Path
) -> None:
    project = created(tmp_path / "project", STUDY, cluster)

    with looking_on(project) as seen:
        project.snakemake(*on_cluster()).succeeded()

    jobs = cluster.jobs()
    print([(j, cluster.about(j)) for j in jobs][4])
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert {job.node for job in jobs} == set(NODES)
    assert seen.ends == {}
    for at_once in seen.placed:
        places = list(at_once.values())
        assert len(set(places)) == len(places), f"jobs that ran at once shared a GPU: {at_once}"
    gpus = {place for at_once in seen.placed for place in at_once.values()}
    assert gpus == {(node, str(gpu)) for node in NODES for gpu in range(len(GPUS))}
    assert (project.results / "report.html").exists()
    assert counts(project) == {"train": PACKS, "evaluate": 2, "diagnose": 1}
    assert_same_results(project, laptop())
