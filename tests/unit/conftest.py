"""Settings of the machine that tests of several folders share."""

from __future__ import annotations

import pytest

from ganbench.pipeline.resources import timing


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timings at a glance, for tests that ask whether a study can start, and not how long it takes."""
    for name, value in {"STEPS_SECONDS": 0.0, "JUDGE_SECONDS": 0.0, "OBSERVATION_SECONDS": 0.3}.items():
        monkeypatch.setattr(timing, name, value)
    monkeypatch.setattr(timing, "MOST_SAMPLES", 100)
