"""What was measured of a study's work before it starts, in two files of its results folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.pipeline.typed_json import decode, encode

ESTIMATES = ".estimates.json"
TIMINGS = ".timings.json"


@dataclass(frozen=True)
class Estimate:
    """What a run of a method will take."""

    method: str
    runs: int
    parameters: tuple[int, int]  # of both players
    seconds: float  # of one CPU core, to train a run
    bytes: int  # on disk, of a run
    memory: int  # bytes beside the libraries', to train a run
    scoring: float  # seconds of one CPU core, to evaluate a run
    scoring_memory: int  # bytes beside the libraries', to evaluate a pack
    digest: str = ""  # of all that can change these numbers, but for the machine


@dataclass(frozen=True)
class Timings:
    """Seconds of one core for what is no matter of a method, timed on the machine where the study was checked."""

    parallel_jobs: int = 1  # jobs that run at the same time
    start: float = 0.0  # of a job's process, before it works
    prepare: dict[str, float] = field(default_factory=dict)  # by data set
    judge: dict[str, float] = field(default_factory=dict)
    scorer: dict[str, float] = field(default_factory=dict)  # before the first snapshot of a pack is scored
    observations: dict[str, dict[str, float]] = field(default_factory=dict)  # by experiment and method, of one run
    digest: str = ""  # of all that can change these numbers, but for the machine

    def observation(self, experiment: str, method: str) -> float:
        """Of a diagnostic of a run; that of others of the experiment, where nobody timed it."""
        known = self.observations.get(experiment) or {method: 0.0}
        return known.get(method, fmean(known.values()))


def write_estimates(folder: Path, estimates: list[Estimate]) -> None:
    """Leave the estimates where the workflow, its jobs and `ganbench check` find them."""
    _write(folder / ESTIMATES, estimates)


def read_estimates(folder: Path) -> dict[str, Estimate]:
    """By method: the estimates of the study with its results in this folder, as far as there are any."""
    found = _read(list[Estimate], folder / ESTIMATES) or []
    return {estimate.method: estimate for estimate in found}


def write_timings(folder: Path, timings: Timings) -> None:
    """Leave the timings where the report and `ganbench check` find them."""
    _write(folder / TIMINGS, timings)


def read_timings(folder: Path) -> Timings | None:
    """The timings of the study with its results in this folder; None where there are none."""
    return _read(Timings, folder / TIMINGS)


def _write(path: Path, content: Any) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(strict_json.dumps(encode(content), indent=1))


def _read(kind: Any, path: Path) -> Any:
    """None where there is none, or one that another version wrote."""
    try:
        return decode(kind, json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, AttributeError):
        return None
