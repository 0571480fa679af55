"""Nodes without a network: what computes needs none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace

from needs import need
from tiny_studies import POINTS, STUDY
from workflow_project import CORES, Project

NO_NETWORK = ["unshare", "--map-root-user", "--net"]
REACH = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=5)"


def missing() -> str | None:
    if shutil.which("unshare") is None:
        return "no unshare: apt-get install util-linux"
    done = subprocess.run([*NO_NETWORK, "true"], capture_output=True, text=True)
    return f"no network namespaces on this machine: {done.stderr.strip()}" if done.returncode else None


def test_all_that_computes_runs_without_a_network(tmp_path):
    need(missing())
    isolated = subprocess.run([*NO_NETWORK, sys.executable, "-c", REACH], capture_output=True, text=True)
    assert "Network is unreachable" in isolated.stderr
    project = Project.create(tmp_path / "project", STUDY | {"grid": [POINTS], "diagnose": ["rotation"]})

    replace(project, program=(*NO_NETWORK, *project.program)).snakemake(*CORES).succeeded()

    assert (project.results / "report.html").exists()
    for stage in ("prepare", "judge", "reference", "train", "evaluate", "diagnose"):
        assert list((project.results / stage).glob("*.h5")), stage
