"""What a newcomer runs: everything but whole workflows, clusters and servers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# The terminal of whoever runs the tests decides how wide and how coloured output is, and so nothing in them.
for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
    os.environ.pop(name, None)

# Tests start processes by the hundred, on sources that each of them would compile.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

HERE = Path(__file__).parent
LONG = (HERE / "workflow", HERE / "cluster")
FIRST_STUDY = HERE / "workflow" / "test_first_study.py"  # the one whole workflow that a newcomer sees run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what lies in the folders of workflows and clusters, where all but one file is."""
    for item in items:
        if item.path != FIRST_STUDY and any(item.path.is_relative_to(folder) for folder in LONG):
            item.add_marker(pytest.mark.slow)
