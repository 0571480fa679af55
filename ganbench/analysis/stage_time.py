"""Estimated and actual time of the jobs of a stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StageTime:
    """The estimated and the actual time of a stage, over all of its jobs."""

    stage: str
    jobs: int
    estimated: float  # seconds
    actual: float  # seconds
