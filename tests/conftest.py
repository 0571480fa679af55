"""Which tests each command runs, and in which order."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# Hypothesis draws the same examples every time, however slow the machine is, and `make soak` new ones.
settings.register_profile("soak", settings.get_profile("ci"), derandomize=False)
settings.load_profile("ci")

# The terminal of whoever runs the tests decides how wide and how coloured output is, and so nothing in them.
for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
    os.environ.pop(name, None)

# Tests start processes by the hundred, on sources that each of them would compile.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

HERE = Path(__file__).parent
LONG = (HERE / "workflow", HERE / "cluster")


# The files that take longest, in this order: each starts first on its worker, and no worker waits for it in the end.
LONGEST = (
    *("test_first_study", "test_slurm", "test_soak", "test_kubernetes", "test_reruns", "test_processor"),
    *("test_failures", "test_shipped_studies", "test_streaming", "test_interruptions"),
)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark for `make test-cluster` the folders of workflows and clusters; order the chosen."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in LONG):
            item.add_marker(pytest.mark.cluster)
    yield
    items[:] = _longest_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.fixture(scope="module", autouse=True)
def spared() -> None:
    """Spare collections of garbage, which the engine asks for, what earlier modules imported and keep.

    What is spared once stays so: to look through all of it for every module takes longer than many modules.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Seed PyTorch's global generator, so that what a test draws of it does not depend on the tests before it."""
    torch.manual_seed(0)


def pytest_sessionfinish() -> None:
    """Let the interpreter end as usual."""
    gc.unfreeze()


def _longest_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Equal shares of consecutive items, as `worksteal` gives them to workers, each of which begins with long files."""
    files = [[item for item in items if item.path.stem == name] for name in LONGEST]
    files = [file for file in files if file]
    rest = iter([item for item in items if item.path.stem not in LONGEST])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        share = [item for file in files[worker::workers] for item in file]
        size = (len(items) - len(ordered)) // (workers - worker)
        ordered += [*share, *islice(rest, max(0, size - len(share)))]
    return ordered
