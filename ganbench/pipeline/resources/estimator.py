"""Estimates of what a study will take on this machine.

Time is extrapolated from a few steps, snapshots and observations of every method; memory and disk space are counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch

from ganbench.core.dotted_names import under
from ganbench.core.errors import GanbenchError
from ganbench.core.recorder import bin_edges, series_names, snapshot_steps
from ganbench.core.source_digests import digest
from ganbench.engine import fusing
from ganbench.engine.out_of_memory import OutOfMemory
from ganbench.engine.sampler import Sampler
from ganbench.engine.scoring import Scorer
from ganbench.engine.subpacks import release
from ganbench.engine.train import Training, train
from ganbench.games import Game, Member
from ganbench.judges import JudgedExamples
from ganbench.pipeline.execution.instantiation import TrainingSet, build_game, build_training
from ganbench.pipeline.execution.limits import TooLong, limited
from ganbench.pipeline.execution.memory import MAX_HELD, resident_growth
from ganbench.pipeline.execution.snapshot_files import BUFFER
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning.grid import components_of
from ganbench.pipeline.resources import sample_times, timing
from ganbench.pipeline.resources.dataset_costs import FID_BYTES, FID_SECONDS, DatasetCosts, Loaded
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.pipeline.stage_names import OF_DATASETS
from ganbench.study.choices import Choice
from ganbench.study.experiments import Experiment
from ganbench.study.runs import Run
from ganbench.study.selectors import matches

# A step takes the memory of about six forward passes: forward and backward passes (twice a forward pass) of the
# discriminator on real and on fake examples, of the generator, and of the discriminator again for the generator's
# gradient.
PASSES = 6
# Copies of the parameters: gradients, the optimizer's moments and what dynamics keep. That is what a usual run takes;
# `sizes.MIN_COPIES` is what every run takes, `subpacks.COPIES` what none exceeds.
USUAL_COPIES = 10
# Memory of a pack in the end, in multiples of that in its first steps: for some fifty steps those gaps grow that
# allocators leave between blocks of different lifetimes. Measured after 60 to 400 steps, on a CPU: fully connected
# networks 1.15 to 1.3 (16 members, eager), 1.5 (16, traced), 1.25 (64, eager), 1.5 (64, traced), DCGAN 1.3, MLP 1.1.
SETTLED = 1.25
STEP_SECONDS = 30.0  # limit of processor time for timing the steps of a pack
OBSERVATIONS_SECONDS = 15.0  # time after which no further diagnostic is timed


class Estimator:
    """Times a study's work on this machine.

    Args:
        plan: the study's plan.
        device: the device that its packs would compute on.
        loaded: the examples of data sets that have been loaded already. Others are loaded when they are needed.
    """

    def __init__(self, plan: Plan, device: torch.device, loaded: Mapping[Choice, Loaded]) -> None:
        self._plan, self._device, self._loaded_data = plan, device, loaded
        self._known: dict[str, DatasetCosts] = {}
        self._loaded = False  # whether this process has trained
        self._together = [plan.study.pack.fuse, *([run.id for run in pack.runs] for pack in plan.grid.packs.values())]

    def timings(self, known: Timings | None) -> Timings:
        """Time the work that no estimate of a method covers.

        Args:
            known: earlier timings, which are returned if nothing has changed; None to time anew.

        Returns:
            The timings.
        """
        stages = (*OF_DATASETS, "diagnose")
        jobs = [job for stage in stages for job in self._plan.jobs(stage).values()]
        value = digest([self._device.type, self._plan.grid.methods, *(job.digest for job in jobs)])
        if known is not None and known.digest == value:
            return known
        data = {name: self._data(choice) for name, choice in self._plan.grid.datasets.items()}
        return Timings(
            start=timing.STARTED_SECONDS,
            prepare={name: each.loading for name, each in data.items()},
            judge={name: each.judge_seconds for name, each in data.items()},
            reference={name: each.reference_seconds for name, each in data.items()},
            reference_memory={name: each.reference_memory for name, each in data.items()},
            observations=self._observations(),
            digest=value,
        )

    def estimate(self, runs: Sequence[Run], known: Estimate | None) -> Estimate:
        """Estimate what the runs of a method will take.

        Args:
            runs: all runs of the method.
            known: an earlier estimate, which is returned if nothing has changed; None to time anew.

        Returns:
            The estimate.

        Raises:
            GanbenchError: the method's game cannot be played with its options.
        """
        trained, scored = self._plan.digests.train, self._plan.digests.evaluate
        # Packs and fusing change no result, but they change the time.
        value = digest([self._device.type, *self._together, *([trained[run.id], scored.get(run.id)] for run in runs)])
        if known is not None and known.digest == value:
            return replace(known, parameters=tuple(known.parameters))
        try:
            return replace(self._estimate(runs), digest=value)
        except GanbenchError as error:
            raise GanbenchError(f"grid: {runs[0].method}: {error}") from None

    def _estimate(self, runs: Sequence[Run]) -> Estimate:
        run, plan = max(runs, key=lambda run: run.train.steps), self._plan  # epochs are more steps of more examples
        game, training = self._game(run)
        together = next(group for pack in plan.grid.packs.values() for group in pack.fusable_groups if run in group)
        fused, _ = fusing.decide(plan.study.pack.fuse, game, len(together), self._device)
        members = [each.member for each in (together if fused else together[:1])]
        step, growth = self._step(game, training, members)
        sizes = tuple(game.sizes.values())
        size = training.dtype.itemsize
        kept = 1 if training.ema_decay is None else 2  # parameters, and their averages
        snapshot = kept * sum(sizes) * size
        snapshots = snapshot * len(training.snapshots)
        waiting = min(snapshots, snapshot + BUFFER // len(members))  # to be written
        series = len(series_names(game.players, game.series))
        curves = 8 * 3 * series * (len(bin_edges(training.steps, training.curve_bins, training.every)) - 1)
        # With a fixed distance of snapshots also the last state: parameters, two moments of them, and the curves.
        state = 0 if training.every is None else 3 * sum(sizes) * size + curves
        scoring, scoring_memory = self._scoring(run, game, sizes)
        return Estimate(
            run.method,
            len(runs),
            sizes,
            seconds=training.steps * step,
            bytes=snapshots + curves + state,
            memory=curves + state + fused * (growth + waiting),
            turns=0 if fused else growth + waiting,
            examples=self._examples_memory(run),
            scoring=scoring,
            scoring_memory=scoring_memory,
        )

    def _step(self, game: Game, training: Training, members: Sequence[Member]) -> tuple[float, int]:
        """The seconds of a training step and the bytes of memory, per member, measured with as many members as fit into
        memory together.

        If a step of all members takes too long to be timed, a step of one member is timed; if that takes too long,
        `STEP_SECONDS` is returned, and memory is counted.

        Raises:
            OutOfMemory: a single member does not fit into memory.
        """
        seconds: list[float] = []
        release(self._device)
        try:
            with limited(STEP_SECONDS):
                if not self._loaded:  # what PyTorch loads at its first step is memory of the libraries
                    train(game, replace(training, steps=1), members[:2], device=self._device)
                    self._loaded = True
                    release(self._device)
                growth = resident_growth(
                    lambda: seconds.append(timing.step_seconds(game, training, members, self._device))
                )
            each = _counted_memory(game, training) if growth is None else int(SETTLED * growth) // len(members)
            return seconds[0] / len(members), each
        except OutOfMemory:
            if len(members) == 1:
                raise
            fewer = members[: len(members) // 2]
        except TooLong:
            if len(members) == 1:
                return STEP_SECONDS, _counted_memory(game, training)
            fewer = members[:1]
        return self._step(game, training, fewer)

    def _game(self, run: Run) -> tuple[Game, Training]:
        settings, dataset = run.train.model_dump(mode="json"), run.choice("dataset")
        components = components_of(run)
        known = self._data(dataset).examples if dataset else None
        given = known and TrainingSet(known.train, known.train_modes)
        return build_game(components, settings, given, self._device), build_training(settings, components)

    def _data(self, choice: Choice) -> DatasetCosts:
        if choice.signature not in self._known:
            self._known[choice.signature] = DatasetCosts(self._plan, choice, self._loaded_data.get(choice))
        return self._known[choice.signature]

    def _scoring(self, run: Run, game: Game, sizes: tuple[int, ...]) -> tuple[float, int]:
        """The seconds of one core to evaluate a run, and the bytes of memory to evaluate a pack."""
        if not run.choice("architecture"):
            return 0.0, 0
        evaluate, data = self._plan.study.evaluate, run.choice("dataset").build().spec
        count = len(snapshot_steps(run.train.steps, **run.train.snapshots.model_dump()))
        member = run.member
        generator = game.start(member)["generator"].numpy()
        buffers = {name: value.numpy() for name, value in under("generator", game.start_buffers(member)).items()}
        known = self._data(run.choice("dataset"))
        size = run.train.batch_size // run.train.accumulation_steps
        sampler = Sampler(run.choice("architecture").build(), data, size, self._device)
        seconds = sample_times.generating_seconds(sampler, generator, buffers, evaluate.samples, self._device)
        seconds += known.scoring_seconds
        if run.train.ema_decay is not None:
            seconds *= 2  # the averaged generator is scored too
        examples = evaluate.samples * 4 * prod(data.shape)
        memory = self._examples_memory(run) + 6 * examples + 4 * sum(sizes) + known.inception * FID_BYTES
        return count * (seconds + known.inception * FID_SECONDS * evaluate.samples), memory

    def _examples_memory(self, run: Run) -> int:
        """The bytes that the training examples of a run take, unless they stay in their file."""
        size = run.choice("dataset").build().spec.train_bytes if run.choice("dataset") else 0
        return size if size <= MAX_HELD else 0

    def _observations(self) -> dict[str, dict[str, float]]:
        """The seconds of an observation, by experiment and method.

        One method of every experiment is timed first, then other methods until `OBSERVATIONS_SECONDS` have passed.
        """
        waiting: list[tuple[int, Experiment, Run]] = []
        for experiment in self._plan.study.diagnose:
            if experiment.diagnostic.build().of != "study":
                selected = {run.method: run for run in self._plan.grid.runs if matches(experiment.where, run.point)}
                waiting += [(index, experiment, run) for index, run in enumerate(selected.values())]
        found: dict[str, dict[str, float]] = {}
        began = time.monotonic()
        for index, experiment, run in sorted(waiting, key=lambda each: each[0]):
            if index and time.monotonic() - began > OBSERVATIONS_SECONDS:
                break
            diagnostic, (game, training) = experiment.diagnostic.build(), self._game(run)
            if diagnostic.unsupported(game) is None:
                seen, waits = self._seen(run, diagnostic.needs_judge)
                seconds = timing.observation_seconds(diagnostic, game, training, run.member, self._device, seen)
                found.setdefault(experiment.name, {})[run.method] = seconds + FID_SECONDS * sum(waits)
        return found

    def _seen(self, run: Run, judged: bool) -> tuple[dict[str, Any], list[int]]:
        """What a diagnostic sees of a run's data, and the numbers of examples that it has a slow network judge, which
        is not timed."""
        known, waits = self._data(run.choice("dataset")) if run.choice("dataset") else None, []
        if known is None or not judged:
            return {"real": known and known.examples}, waits
        scorer = Scorer(known.scorer.judge, known.scorer.state, ())

        def judging(examples: np.ndarray) -> JudgedExamples | None:
            waits.append(len(examples) * known.slow)
            return scorer.judged(examples)

        return {"real": known.examples, "judging": judging}, waits


def _counted_memory(game: Game, training: Training) -> int:
    """The bytes that a run in training takes where they cannot be measured: copies of its parameters, and activations
    that forward passes keep for backward passes, one number for about a hundred operations."""
    numbers = USUAL_COPIES * sum(game.sizes.values()) + PASSES * fusing.forward_work(game) // 100
    return training.dtype.itemsize * numbers
