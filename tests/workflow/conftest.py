"""Finished projects, run once for all tests, each of which works on a copy of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from shared_project import finished_project
from tiny_studies import EVALUATE, LABORATORY, PREPARE, STUDY, SUMMARIES, TRAIN
from workflow_project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after its whole workflow ran. Not to be changed; take `project`."""
    return finished_project(tmp_path_factory, STUDY, PREPARE | TRAIN | EVALUATE | SUMMARIES)


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project to work on."""
    return finished.clone(tmp_path / "project")


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after a study of games without data, with diagnostics and claims, ran. Not to be changed."""
    jobs = {"train bilinear-sgd", "diagnose bilinear-sgd", "diagnose study"} | SUMMARIES
    return finished_project(tmp_path_factory, LABORATORY, jobs)
