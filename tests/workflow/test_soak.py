"""The soak test in short: a few faults of unlike kinds, always the same ones. `make soak` goes on for half an hour."""

from __future__ import annotations

from pathlib import Path

import pytest
from soak import soak

FAULTS = 3


@pytest.mark.slow
def test_a_study_that_is_disturbed_again_and_again_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    tally = soak(tmp_path, seed=784, seconds=600, packs=3, steps=1000, pause=(1.0, 4.0), most=FAULTS)

    assert tally.lost == []
    assert sum(tally.injected.values()) == FAULTS
    assert len(tally.injected) >= 2, "the faults were of few kinds"
    assert tally.studies == 1
