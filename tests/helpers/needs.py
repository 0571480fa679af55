"""What a test needs of the machine: it is skipped where that is missing, and fails where all of it must be there."""

from __future__ import annotations

import os

import pytest


def need(what_is_missing: str | None) -> None:
    """Skip the test with this line, or fail it under `GANBENCH_REQUIRE_CLUSTER=1`; go on where nothing is missing."""
    if what_is_missing is None:
        return
    if os.environ.get("GANBENCH_REQUIRE_CLUSTER") == "1":
        pytest.fail(what_is_missing)
    pytest.skip(what_is_missing)
