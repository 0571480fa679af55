"""How fast this machine is at a study's work: a few real steps, snapshots and observations are timed.

For estimates only: no result depends on what is measured here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from ganbench.data import DataSpec, Examples
from ganbench.diagnostics import Diagnostic
from ganbench.engine.diagnose import diagnose
from ganbench.engine.evaluate import Scorer, evaluate
from ganbench.engine.train import Training, train
from ganbench.games import CHUNK, Game, Match, Member
from ganbench.pipeline.execution.instantiation import CPU
from ganbench.pipeline.preflight.limits import TooLong, limited

STARTED_SECONDS = time.process_time()  # what a process needs until it has imported all that a job works with
STEPS_SECONDS = 0.2  # that the steps of a method are timed for, about
JUDGE_SECONDS = 1.5
MOST_SAMPLES = 1000  # generated and scored; more take in proportion
OBSERVATION_SECONDS = 3.0
LONGER = 2.0


class _Enough(Exception):
    """The time that a measurement may take is over."""


def clock_of(device: torch.device) -> Callable[[], float]:
    """The clock that times work on a device. On a CPU it counts what this process had of it: other programs that
    keep the machine busy now are no matter of the study."""
    if device.type != "cuda":
        return time.process_time

    def clock() -> float:
        torch.cuda.synchronize(device)  # kernels are only launched by what Python has done
        return time.perf_counter()

    return clock


def seconds_of(work: Callable[[], object], device: torch.device = CPU) -> float:
    """How long some work takes."""
    clock = clock_of(device)
    began = clock()
    work()
    return clock() - began


def step_seconds(game: Game, training: Training, members: Sequence[Member], device: torch.device) -> float:
    """Seconds of a training step of all members together, with what it records and the snapshots it keeps."""
    watch = _Stopwatch(training.dynamics, device)
    with suppress(_Enough):
        train(game, replace(training, dynamics=watch), members, device=device)
    watch.begun.append(watch.clock())
    # The first step does what later ones need not, and any may meet a busy machine: the shortest tells what one takes.
    steps = [end - begin for begin, end in pairwise(watch.begun[1:] if len(watch.begun) > 2 else watch.begun)]
    # Random numbers are drawn for CHUNK steps at once, between two chunks.
    match = Match(game, members, device, training.dtype)
    return min(steps) + seconds_of(lambda: match.draw(0, training.dynamics.batches_per_step), device) / CHUNK


class _Stopwatch:
    """Dynamics that note when each of their steps begins, and end training when they have seen enough."""

    def __init__(self, dynamics: Any, device: torch.device) -> None:
        self._dynamics = dynamics
        self.clock = clock_of(device)
        self.begun: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamics, name)

    def step(self, *given: Any) -> Any:
        now = self.clock()  # when the step before has ended
        if len(self.begun) > 1 and now - self.begun[1] > STEPS_SECONDS:
            raise _Enough
        self.begun.append(now)
        return self._dynamics.step(*given)


def judge_seconds(judge: Any, examples: Examples) -> float:
    """Seconds to fit a judge: of all its steps, whether or not it ends early."""
    began = time.process_time()
    done = steps = 1

    def report(step: int, total: int) -> None:
        nonlocal done, steps
        done, steps = step, total
        if time.process_time() - began > JUDGE_SECONDS:
            raise _Enough

    try:
        judge.fit(examples, report)
    except _Enough:
        return (time.process_time() - began) * steps / done
    return time.process_time() - began


def snapshot_seconds(
    scorer: Scorer, architecture: Any, data: DataSpec, generator: np.ndarray, samples: int, device: torch.device
) -> float:
    """Seconds to score one snapshot.

    Args:
        scorer: The judge and the metrics.
        architecture, data: The architecture of the generator and the data that it imitates.
        generator: The generator's parameters, (P,).
        samples: The number of examples that are generated and scored.
        device: The device that generates them.
    """
    tried = min(samples, MOST_SAMPLES)

    def score() -> None:
        evaluate(scorer, architecture, data, 0, generator[None], tried, 1, device)

    score()
    return seconds_of(score, device) * samples / tried


def observation_seconds(
    diagnostic: Diagnostic, game: Game, training: Training, member: Member, device: torch.device
) -> float:
    """Seconds of a diagnostic of one run, on a path made up for it; at most OBSERVATION_SECONDS are spent on it,
    and a longer one counts as LONGER times as much."""
    random, count = np.random.default_rng(0), len(training.snapshots)
    tree: dict[str, Any] = {"step": np.array(training.snapshots)}
    for player, theta in game.start(member).items():
        walk = random.standard_normal((count, len(theta))).cumsum(axis=0)
        tree[player] = theta.double().numpy() + 1e-2 * walk / count**0.5
    moved = (game, training.dynamics, training.optimizer)

    def observe() -> None:
        where = {"device": device, "dtype": training.dtype}
        diagnose(diagnostic, *moved, [member], [tree], training.snapshots, **where)

    try:
        with limited(OBSERVATION_SECONDS):
            return seconds_of(observe, device)
    except TooLong:
        return LONGER * OBSERVATION_SECONDS
