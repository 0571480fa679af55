"""Timing of a few real steps, snapshots and observations of a study on this machine.

The times are for estimates only; no result depends on them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from math import inf
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.diagnostics import Diagnostic
from ganbench.engine.diagnose import diagnose
from ganbench.engine.scoring import Scorer, judged_real, score_of
from ganbench.engine.train import Training, train
from ganbench.games import Game, Match, Member
from ganbench.judges import JudgedExamples, silent
from ganbench.pipeline.execution.instantiation import CPU
from ganbench.pipeline.execution.limits import TooLong, limited

STARTED_SECONDS = time.process_time()  # time of a process until it has imported the modules that a job uses
STEPS_SECONDS = 0.2  # time for timing the steps of a method, approximately
MIN_STEPS = 5  # fewest steps that are timed, since the memory that is measured with them still grows
MAX_PHASED = 1000  # steps of which it is counted how often each phase comes
JUDGE_SECONDS = 1.5  # time for timing a judge
UNREPORTED = 2.0  # multiple of that time after which a judge counts as one that reports no steps
JUDGE_EXAMPLES = 200  # training examples of which the fit of such a judge is timed
MAX_SAMPLES = 1000  # largest number of samples that are timed; more samples take in proportion
OBSERVATION_SECONDS = 3.0  # limit for timing an observation
CROSS_FITTED = 2.0  # references and scores of a draw of a null, in those of the study's size, at most
SHORT = 1e-3  # seconds; the power of shorter times is not known
LONGER = 2.0  # an observation beyond that limit counts as this factor times the limit


class _Enough(Exception):
    """Ends a measurement whose time is over."""


def clock_of(device: torch.device) -> Callable[[], float]:
    """The clock for work on a device, in seconds.

    On a CPU it counts the processor time of this process, which other programs on the machine do not change.
    """
    if device.type != "cuda":
        return time.process_time

    def clock() -> float:
        torch.cuda.synchronize(device)  # kernels run asynchronously
        return time.perf_counter()

    return clock


def seconds_of(work: Callable[[], object], device: torch.device = CPU) -> float:
    """The seconds that a call of `work` takes on a device."""
    clock = clock_of(device)
    began = clock()
    work()
    return clock() - began


def step_seconds(game: Game, training: Training, members: Sequence[Member], device: torch.device) -> float:
    """The seconds of a training step of all members together, including its records and snapshots; the mean of steps
    that are not all alike, see `Game.phase`.

    Args:
        game: the game of the members.
        training: the training of the members.
        members: the members.
        device: the device that the members train on.
    """
    phases = Counter(game.phase(step) for step in range(min(training.steps, MAX_PHASED)))
    each = {phase: _phase_seconds(game.in_phase(phase), training, members, device) for phase in phases}
    return sum(count * each[phase] for phase, count in phases.items()) / phases.total()


def _phase_seconds(game: Game, training: Training, members: Sequence[Member], device: torch.device) -> float:
    """The seconds of a training step of a game whose steps are all alike."""
    watch = _Stopwatch(training.dynamics, device)
    with suppress(_Enough):
        train(game, replace(training, dynamics=watch, execution="eager"), members, device=device)
    watch.begun.append(watch.clock())
    # The first step also initializes, and the machine may be busy during any step: the shortest time is used.
    steps = [end - begin for begin, end in pairwise(watch.begun[1:] if len(watch.begun) > 2 else watch.begun)]
    # Random numbers are drawn for several steps at once, before the first of them.
    match, batches = Match(game, members, device, training.dtype), training.dynamics.batches_per_step
    return min(steps) + seconds_of(lambda: match.draw(0, batches), device) / match.steps_together(batches)


class _Stopwatch:
    """Dynamics that record when each step begins, and end training after `STEPS_SECONDS`."""

    def __init__(self, dynamics: Any, device: torch.device) -> None:
        self._dynamics = dynamics
        self.clock = clock_of(device)
        self.begun: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamics, name)

    def step(self, *given: Any) -> Any:
        now = self.clock()  # also the end of the previous step
        if len(self.begun) > MIN_STEPS and now - self.begun[1] > STEPS_SECONDS:
            raise _Enough
        self.begun.append(now)
        return self._dynamics.step(*given)


def judge_seconds(judge: Any, examples: Examples) -> float:
    """The seconds to fit a judge, extrapolated if it takes longer than `JUDGE_SECONDS`.

    The time until the first report counts once, since the first step loads libraries; the steps after it are carried on
    to all. Of a judge that reports no steps, a fit to a few examples is carried on to all examples.
    """
    began = time.process_time()
    reports: list[tuple[float, int]] = []  # seconds and steps done of the first report, and of the last one
    steps = 1

    def report(step: int, total: int) -> None:
        nonlocal steps
        steps, reports[1:] = total, [(time.process_time() - began, step)]
        if reports[-1][0] - reports[0][0] > JUDGE_SECONDS:
            raise _Enough

    try:
        with limited(UNREPORTED * JUDGE_SECONDS or None):
            judge.fit(examples, report)
    except (_Enough, TooLong):
        if steps > 1:
            return _all_steps(judge, examples, steps, reports[0], reports[-1])
        every = -(-len(examples.train) // JUDGE_EXAMPLES)
        parts = (examples.train, examples.train_modes, examples.heldout, examples.heldout_modes)
        some = Examples(*(None if part is None else part[::every] for part in parts), examples.facts)
        return every * seconds_of(lambda: judge.fit(some, silent))
    return time.process_time() - began


def _all_steps(judge: Any, examples: Examples, steps: int, first: tuple[float, int], last: tuple[float, int]) -> float:
    """The seconds of all steps of a judge, from its first and its last report: the seconds and the steps until then."""
    (begun, before), (ended, done) = first, last
    if done > before:
        return begun + (ended - begun) * (steps - before) / (done - before)

    def stop(step: int, _: int) -> None:
        nonlocal done
        if step > 0:
            done = step
            raise _Enough

    # One report alone: libraries are loaded by now, so that the same steps again take what later ones do.
    again = time.process_time()
    with suppress(_Enough):
        judge.fit(examples, stop)
    return begun + (time.process_time() - again) * (steps - before) / done


def reference_seconds(scorer: Scorer, few: Examples, count: int, samples: int) -> float:
    """The seconds to judge real examples, and to compute the references and nulls of all metrics.

    References and scores are timed of few examples and of half of them, and carried on along the power of the numbers
    that the two times make: that of metrics that compare all pairs is 2.

    Args:
        scorer: the judge and the metrics.
        few: some of the real examples, which are timed.
        count: the number of real examples that references are made of.
        samples: the number of examples that are scored together.
    """
    kept: list[tuple[JudgedExamples, JudgedExamples]] = []
    judging = seconds_of(lambda: kept.append(judged_real(scorer.judge, scorer.state, few)))
    train, heldout = kept[0]
    some = train.take(np.arange(min(samples, MAX_SAMPLES, len(train))))
    halves = tuple(each.take(np.arange(len(each) // 2)) for each in (train, some))
    total = count / len(train) * judging
    for metric, known in scorer.metrics:
        max_examples = metric.max_examples or inf
        whole, share = (
            max(1.0, min(max_examples, all_) / len(timed)) for all_, timed in ((count, train), (samples, some))
        )
        half_train, half_some = halves if min(map(len, halves)) >= metric.fewest else (train, some)
        (_, reference), (known_of_half, half) = (
            _result_and_seconds(metric, real, heldout) for real in (train, half_train)
        )
        score, of_half, to_half = (
            seconds_of(lambda metric=metric, judged=judged, to=to: score_of(metric, judged, to))
            for judged, to in ((some, known), (half_some, known), (some, known_of_half))
        )
        score *= share ** _power(score, of_half, 1) * whole ** _power(score, to_half, 0)
        reference *= whole ** _power(reference, half, 1)
        total += reference + CROSS_FITTED * metric.draws * (reference + score)
    return total


def _result_and_seconds(metric: Any, real: JudgedExamples, heldout: JudgedExamples) -> tuple[Tree, float]:
    """A metric's reference, and the seconds that it takes."""
    found: list[Tree] = []
    seconds = seconds_of(lambda: found.append(metric.reference(real, heldout)))
    return found[0], seconds


def _power(whole: float, half: float, least: int) -> float:
    """The power of the number of examples that a time grows with, from that of half of them; `least` to 2."""
    return float(np.clip(np.log2(max(whole, SHORT) / max(half, SHORT)), least, 2))


def observation_seconds(
    diagnostic: Diagnostic,
    game: Game,
    training: Training,
    member: Member,
    device: torch.device,
    seen: Mapping[str, Any] = MappingProxyType({}),
) -> float:
    """The seconds of an observation of one run, timed on a random path.

    Timing ends after `OBSERVATION_SECONDS`; an observation that takes longer counts as `LONGER` times that.

    Args:
        diagnostic: the diagnostic.
        game: the game of the run.
        training: the training of the run.
        member: the run.
        device: the device that the diagnostic computes on.
        seen: what it sees of data, as arguments of `diagnose`: the examples `real`, and `judging`.
    """
    random, count = np.random.default_rng(0), len(training.snapshots)
    tree: dict[str, Any] = {"step": np.array(training.snapshots)}
    for player, theta in game.start(member).items():
        walk = random.standard_normal((count, len(theta))).cumsum(axis=0)
        tree[player] = theta.double().numpy() + 1e-2 * walk / count**0.5
    moved = (game, training.dynamics, training.optimizer)

    def observe() -> None:
        where = {"device": device, "dtype": training.dtype}
        diagnose(diagnostic, *moved, [member], [tree], training.snapshots, **where, **seen)

    try:
        with limited(OBSERVATION_SECONDS):
            return seconds_of(observe, device)
    except TooLong:
        return LONGER * OBSERVATION_SECONDS
