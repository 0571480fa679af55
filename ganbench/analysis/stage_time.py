"""Actual and estimated time of the jobs of a stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StageTime:
    """The time of a stage, over all of its jobs."""

    stage: str
    jobs: int
    estimated: float  # seconds
    actual: float  # seconds
