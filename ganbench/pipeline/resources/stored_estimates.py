"""Estimates and timings of a study's work, and what of it is done, which `check` writes to its results folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.pipeline.typed_json import decode, encode

ESTIMATES = ".estimates.json"
TIMINGS = ".timings.json"
HELD = ".held.json"


@dataclass(frozen=True)
class Estimate:
    """What a run of a method will take. Memory is counted in bytes, without the libraries' memory."""

    method: str
    runs: int
    parameters: tuple[int, int]  # number of parameters of each player
    seconds: float  # of one CPU core, to train a run
    bytes: int  # on disk, of a run
    memory: int  # of each run of a pack, without the examples
    scoring: float  # seconds of one CPU core, to evaluate a run
    scoring_memory: int  # to evaluate a pack
    examples: int = 0  # memory of the training examples, which a pack has once
    turns: int = 0  # memory of a run in training, which a pack has once where its runs train one after the other
    digest: str = ""  # of everything that can change these numbers, except the machine


@dataclass(frozen=True)
class Timings:
    """Seconds of one core for all work that no `Estimate` covers, timed on the machine where the study was checked."""

    parallel_jobs: int = 1  # number of jobs that run at the same time
    start: float = 0.0  # start of a job's process
    prepare: dict[str, float] = field(default_factory=dict)  # by data set
    judge: dict[str, float] = field(default_factory=dict)  # by data set
    reference: dict[str, float] = field(default_factory=dict)  # by data set
    observations: dict[str, dict[str, float]] = field(default_factory=dict)  # of one run, by experiment and method
    reference_memory: dict[str, int] = field(default_factory=dict)  # bytes that stage `reference` takes, by data set
    digest: str = ""  # of everything that can change these numbers, except the machine

    def observation(self, experiment: str, method: str) -> float:
        """The seconds of an observation of one run.

        Args:
            experiment: the experiment.
            method: the method of the run. If it was not timed, the mean over the methods that were is returned.
        """
        known = self.observations.get(experiment) or {method: 0.0}
        return known.get(method, fmean(known.values()))


def write_estimates(folder: Path, estimates: list[Estimate]) -> None:
    """Write the estimates to a results folder, for the workflow, its jobs and `ganbench check`."""
    _write(folder / ESTIMATES, estimates)


def read_estimates(folder: Path) -> Mapping[str, Estimate]:
    """Read the estimates from a results folder, by method; empty if there are none."""
    return _read(folder / ESTIMATES, _by_method) or {}


def _by_method(content: Any) -> dict[str, Estimate]:
    return {estimate.method: estimate for estimate in decode(list[Estimate], content)}


def write_timings(folder: Path, timings: Timings) -> None:
    """Write the timings to a results folder, for the report and `ganbench check`."""
    _write(folder / TIMINGS, timings)


def read_timings(folder: Path) -> Timings | None:
    """Read the timings from a results folder; None if there are none."""
    return _read(folder / TIMINGS, _timings)


def _timings(content: Any) -> Timings:
    return decode(Timings, content)


def write_held(folder: Path, digests: Iterable[str]) -> None:
    """Write to a results folder the digests of runs and observations that its files hold, and that jobs will copy."""
    _write(folder / HELD, sorted(digests))


def read_held(folder: Path) -> Set[str]:
    """Read these digests from a results folder; empty if there are none."""
    return _read(folder / HELD, frozenset) or frozenset()


def _write(path: Path, content: Any) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(strict_json.dumps(encode(content), indent=1))


def _read(path: Path, convert: Callable[[Any], Any]) -> Any:
    """Read a file; None if there is none, or if another version wrote it."""
    try:
        state = path.stat()
    except OSError:
        return None
    return _converted(path, convert, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=8)
def _converted(path: Path, convert: Callable[[Any], Any], *_state: int) -> Any:
    """Read a file in one state of it: a workflow asks for every job, about a file with all methods."""
    try:
        return convert(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, AttributeError):
        return None
