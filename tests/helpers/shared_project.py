"""Finished projects that take a while to make: one for all tests, whichever worker asks for it first."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from tiny_studies import Study
from workflow_project import CORES, Project


def finished_project(factory: pytest.TempPathFactory, study: Study, jobs: set[str]) -> Project:
    """A project whose whole workflow ran. Not to be changed.

    Args:
        factory: of the session's temporary folders.
        study: to run, one for each title.
        jobs: that a run of it consists of.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # where all workers have their folders
    folder: Path = base / study["title"].replace(" ", "-").lower()
    done = folder.with_suffix(".done")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return Project(folder)
        shutil.rmtree(folder, ignore_errors=True)  # what another worker has failed to finish
        project = Project.create(folder, study)
        assert project.snakemake(*CORES).succeeded().jobs == jobs
        done.touch()
        return project
