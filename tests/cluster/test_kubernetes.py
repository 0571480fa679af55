"""The workflow on Kubernetes: the project's profile and Snakemake's executor, on a cluster of make-believe.

Its pods see what their specifications let them see. So these tests show that the volume is all that jobs share with one
another and with whoever submits them; they do not show that the image can be built, nor that nodes have what pods ask
for.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from comparing import assert_same_runs, differences, differing_tables
from kubernetes_cluster import PERMISSIONS, Cluster, Pod, image_of, missing, missing_plugin
from needs import need
from repository import ROOT
from tiny_studies import POINTS, STUDY
from workflow_project import CORES, Project, wait_for

from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import STOPPED
from ganbench.pipeline.execution.processor import chosen_kernels
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources import requests, stored_estimates
from ganbench.study.schema import parse

PROFILE = "workflow/profiles/kubernetes"
NAMESPACE, IMAGE, CLAIM, MOUNTED = "laboratory", "ganbench:test", "ganbench", "/ganbench"
# What users set.
SET = ("--kubernetes-shared-namespace", NAMESPACE, "--container-image", IMAGE, "--envvars", "MLFLOW_TRACKING_PASSWORD")
SOON = ("--seconds-between-status-checks", "1")
# Kernels of an old processor: pods that are not told of them compute other bits.
KERNELS = chosen_kernels() | {"ATEN_CPU_CAPABILITY": "default"}
PASSWORD = {"MLFLOW_TRACKING_PASSWORD": "a password: 100% secret"}

# One pack, which leaves a checkpoint after every few steps.
ONE_PACK = copy.deepcopy(STUDY) | {
    "grid": [POINTS],
    "train": STUDY["train"] | {"steps": 600},
    "machine": {"checkpoint_seconds": 0},
}
IN_PODS = [  # not `track`
    *("collect", "evaluate", "figures", "judge", "prepare", "reference", "report", "tables", "train"),
]

# Files that tell when something was done or how long it took.
CLOCKED = ("mlflow", "tiny/benchmarks/", "tiny/train/", "tiny/evaluate/", "tiny/collect/")
CLOCKED += ("tiny/tables/runs.", "tiny/paper/runs.", "tiny/report.html")
CLOCKED += ("tiny/.done/tables-", "tiny/.done/report-")  # which list checksums of these


def test_all_keys_of_the_profile_are_options_of_snakemake() -> None:
    need(missing_plugin())
    environment = os.environ | {"PYTHONPATH": str(ROOT / PROFILE)}
    command = [sys.executable, "-m", "snakemake", "--help"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    known = {word.strip(",[]") for word in told.split()}
    options = {f"--{key}" for key in yaml.safe_load((ROOT / PROFILE / "config.yaml").read_text())}
    assert options <= known, f"Snakemake knows no {options - known}"


def test_the_role_permits_what_the_executor_does_and_no_more() -> None:
    console = yaml.safe_load_all((ROOT / PROFILE / "console.yaml").read_text())
    (role,) = [each for each in console if each["kind"] == "Role"]
    permitted = {
        (verb, group, resource)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert permitted == set(PERMISSIONS)


@contextmanager
def cluster_with(folder: Path) -> Iterator[tuple[Cluster, Project]]:
    """A cluster, and the project on its volume."""
    need(missing())
    with Cluster.started(folder / "cluster", NAMESPACE, [CLAIM], image_of(MOUNTED)) as cluster:
        yield cluster, Project.create(cluster.claims[CLAIM], ONE_PACK)


def test_a_pod_sees_its_volumes_and_nothing_else_that_is_ours(tmp_path: Path) -> None:
    with cluster_with(tmp_path) as (cluster, project):
        looking = ("sh", "-c", f"ls -A . {MOUNTED}; ls {project.folder} || hostname")
        with cluster.console({"/workdir": None, MOUNTED: project.folder}, "/workdir", looking) as process:
            seen = Project.end(process).output

    assert seen.startswith(f".:\n\n{MOUNTED}:\nSnakefile\n")
    assert seen.endswith("No such file or directory\nconsole\n")


def test_pods_make_what_one_machine_makes_though_one_is_killed_and_one_evicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster_with(tmp_path) as (cluster, project):
        undisturbed = replace(Project.create(tmp_path / "undisturbed", ONE_PACK), environment=KERNELS)
        command = (sys.executable, "-m", "snakemake", "--workflow-profile", PROFILE, *SET, *SOON)
        with (
            undisturbed.running(*CORES) as other,
            cluster.console({MOUNTED: project.folder}, MOUNTED, command, **PASSWORD, **KERNELS) as submitter,
        ):
            wait_for(lambda: any(project.results.glob("train/.resume/*/*.h5")), "a checkpoint", submitter)
            killed = next(pod for pod in cluster.pods if stage(pod) == "train")
            killed.kill()
            wait_for(lambda: "goes on from step" in project.log("train", "ring8-mlp"), "the next attempt", submitter)
            evicted = [pod for pod in cluster.pods if stage(pod) == "train"][-1]
            evicted.evict()
            wait_for(lambda: STOPPED in ends(project), "a job that was told to end", submitter)
            Project.end(submitter).succeeded()
            Project.end(other).succeeded()
        pods = cluster.pods
        assert cluster.secrets == {}, "a secret was left behind"
        assert all(pod.deleted for pod in pods), "a job was left behind"

    assert {pod.name: pod.exit_code for pod in pods if pod.exit_code} == {killed.name: 137, evicted.name: 1}
    assert sorted(stage(pod) for pod in pods if pod not in (killed, evicted)) == IN_PODS
    assert "goes on from step" in project.log("train", "ring8-mlp")
    monkeypatch.chdir(project.folder)
    assert_asked_for(Plan(parse(ONE_PACK, origin="the test")), pods)
    assert_same(project, undisturbed)


def ends(project: Project) -> list[str]:
    """How attempts to train the pack have ended."""
    entries = map(journal.read, (project.results / journal.FOLDER / "train").glob("*.json"))
    return [end.how for entry in entries if entry for end in entry.ends]


def stage(pod: Pod) -> str:
    """The stage whose job a pod ran."""
    return pod.command.split("--allowed-rules ")[1].split()[0]


def assert_asked_for(plan: Plan, pods: list[Pod]) -> None:
    """Pods asked for what the study's estimate says, and were limited to it; a second attempt may ask for more."""
    estimates = stored_estimates.read_estimates(plan.folder)
    assert estimates.keys() == set(plan.grid.methods)
    for pod in pods:
        (job,) = plan.jobs(stage(pod)).values()
        wanted = requests.request(plan, job, estimates)
        resources, memory = pod.container["resources"], f"{wanted.mem_mb}M"
        assert resources["limits"].get("nvidia.com/gpu", "0") == str(wanted.gpu)
        assert resources["requests"].get("nvidia.com/gpu", "0") == str(wanted.gpu)
        assert resources["limits"]["memory"] == resources["requests"]["memory"]
        assert resources["limits"]["memory"] == memory or "--attempt 1" not in pod.command
        assert pod.container["image"] == IMAGE
        assert pod.environment == PASSWORD | KERNELS


def assert_same(one: Project, other: Project) -> None:
    """All files of two projects are the same, but for what tells the time."""
    assert [name for name in differences(one.state(), other.state()) if not name.startswith(CLOCKED)] == []
    for made in ("train", "evaluate"):
        assert_same_runs(one, other, made, "ring8-mlp")
    assert differing_tables(one, other) == []
