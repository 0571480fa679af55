"""What tests of several folders share: a made-up study, and settings of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ganbench.pipeline.resources import timing

if TYPE_CHECKING:
    from ganbench.analysis.collected import Collected


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """A made-up study of GANs. Not to be changed."""
    import collected_example

    return collected_example.build(tmp_path_factory.mktemp("collected"))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timings at a glance, for tests that ask whether a study can start, and not how long it takes."""
    for name, value in {"STEPS_SECONDS": 0.0, "JUDGE_SECONDS": 0.0, "OBSERVATION_SECONDS": 0.3}.items():
        monkeypatch.setattr(timing, name, value)
    monkeypatch.setattr(timing, "MAX_SAMPLES", 100)
