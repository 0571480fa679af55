"""The trial of a study: every method takes training steps and an evaluation under its real settings, on a few examples,
and every component that it is made of is held to its family's contract.

It runs components' files, which may do anything; `ganbench.pipeline.preflight.check` runs it in a
process of its own that can be ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ganbench.contracts import CONTRACTS
from ganbench.contracts.losses_and_optimizers import objective_fault, optimizer_fault, regularizer_fault
from ganbench.contracts.networks import architecture_fault
from ganbench.contracts.repeatability import world
from ganbench.contracts.steps import CPU, STEPS, dynamics_fault, game_fault, steps_fault
from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.core.registry import PACKAGE
from ganbench.data import DataSpec
from ganbench.engine.train import Training, train
from ganbench.games import Game, Member
from ganbench.pipeline.execution.devices import check_device, timed_on
from ganbench.pipeline.execution.instantiation import build_game, build_training
from ganbench.pipeline.execution.processor import one_thread
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning.grid import components_of
from ganbench.pipeline.preflight.component_trials import ComponentTrials, Say
from ganbench.pipeline.preflight.sizes import memory_fault, memory_of
from ganbench.pipeline.preflight.trial_measurements import Measuring
from ganbench.pipeline.resources import stored_estimates
from ganbench.pipeline.resources.estimator import Estimator
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.study.grid import Run
from ganbench.study.value_types import Choice

# For timing a whole pack of a method, and what is no matter of a method; parts of it have limits of their own.
ESTIMATE_SECONDS = 600.0
BATCH = 8  # examples in a batch, or fewer where the study has fewer


def try_study(
    plan: Plan, *, here: bool = True, remeasure: bool = True, say: Say = lambda line: None
) -> tuple[list[Estimate], Timings]:
    """Try what the jobs will do, and then, since all of it can be done, how long it takes.

    Args:
        plan: The study's plan.
        here: Whether jobs will run on this machine: on a cluster, the machine that submits them may have no GPU.
        remeasure: Whether to time again what was timed before and has not changed since.
        say: Called with what begins, as {"begin": what, "seconds": its limit}, and with what is to be known, as
            {"note": text}.

    Raises:
        GanbenchError: An architecture cannot do a data set's examples, a game cannot be played as asked, a diagnostic
            cannot measure a game or does not measure what a claim needs, a metric fits no data set, a method does not
            fit into memory, there is no such device, or a component breaks its family's contract.
    """
    one_thread()
    if here:
        check_device(plan.study.machine.device)
    trial = Trial(plan, say, memory_of(plan, here=here))
    trial.measuring.columns()
    methods = {name: [run for run in plan.runs if run.method == name] for name in plan.methods}
    for runs in methods.values():
        trial.method(runs)
    trial.measuring.diagnostics()
    return _timed(trial, methods, timed_on(plan.study.machine.device, here), remeasure)


def _timed(
    trial: Trial, methods: dict[str, list[Run]], device: torch.device, remeasure: bool
) -> tuple[list[Estimate], Timings]:
    """The estimate of every method, and the time of what is no matter of a method."""
    plan = trial.plan
    estimator, estimates = Estimator(plan, device), []
    known = {} if remeasure else stored_estimates.read_estimates(plan.folder)
    for name, runs in methods.items():
        with trial.components.attempt(f"grid: {name}", runs[0].choices, ESTIMATE_SECONDS):
            estimates.append(estimator.estimate(runs, known.get(name)))
    choices = list(dict.fromkeys(choice for runs in methods.values() for choice in runs[0].choices))
    diagnostics = [experiment.diagnostic for experiment in plan.study.diagnose]
    with trial.components.attempt("the study", [*choices, *diagnostics], ESTIMATE_SECONDS):
        return estimates, estimator.timings(known=None if remeasure else stored_estimates.read_timings(plan.folder))


class Trial:
    """The trial of a study's components and methods; each component once, however many methods are made of it.

    Args:
        plan: The study's plan.
        say: Called with what begins.
        memory: The bytes that a job may take.
    """

    def __init__(self, plan: Plan, say: Say, memory: int) -> None:
        self.plan, self.memory = plan, memory
        self.components = ComponentTrials(say)
        self.fused = plan.study.pack.fuse != "never"
        self.measuring = Measuring(plan, self.components)

    def method(self, runs: Sequence[Run]) -> None:
        """Try a method: its parts, training steps, an evaluation and its diagnostics.

        Args:
            runs: All runs of the method.
        """
        run = runs[0]
        where = f"grid: {run.method}"
        for choice in run.choices:
            if choice.family not in ("game", "dataset", "architecture"):
                self.components.once(choice, partial(self._part, where, choice))
        dataset, architecture = run.choice("dataset"), run.choice("architecture")
        data = images = None
        if dataset:
            data, images = self.measuring.data(dataset)
        if architecture:
            self._fits(where, runs)
            self.components.once((architecture, dataset), partial(self._architecture, architecture, dataset, data))
        settings = run.train.model_dump(mode="json")
        settings["batch_size"] = min(settings["batch_size"], BATCH)
        game, training = self._training(where, run, settings, images)
        with self.components.attempt(where, run.choices):
            trees = train(game, training, self._pair(runs, images), device=CPU)
        if architecture:
            self.measuring.evaluation(run, data, trees)
        self.measuring.diagnosis(run, game, training, self._pair(runs, images), trees)

    def _fits(self, where: str, runs: Sequence[Run]) -> None:
        """Refuse what does not fit into memory, before any of it is allocated."""
        for run in {run.train: run for run in runs}.values():
            with self.components.attempt(where, run.choices), world(1):
                fault = memory_fault(self.plan.study, run, self.memory)
            if fault:
                raise GanbenchError(f"{where}: {fault}.")

    def _training(
        self, where: str, run: Run, settings: dict[str, Any], images: np.ndarray | None
    ) -> tuple[Game, Training]:
        """The method's game and training as they will be, for a few steps, held to their contracts."""
        components = components_of(run)

        def made(dtype: str) -> tuple[Game, Training]:
            how = settings | {"dtype": dtype}
            training = replace(
                build_training(how, components), steps=STEPS, snapshots=tuple(range(STEPS + 1)), curve_bins=STEPS
            )
            return build_game(components, how, images, CPU), training

        with self.components.attempt(where, run.choices):
            game, training = made("float64")
        members = self._pair([run], images)
        self.components.hold(where, run.choices[0], run.choices, lambda: game_fault(game, members, torch.float64))
        self.components.hold(
            where, run.choice("dynamics"), run.choices, lambda: dynamics_fault(game, training, members)
        )
        self.components.hold(where, None, run.choices, lambda: steps_fault(game, training, members, fused=self.fused))
        return made(settings["dtype"])

    def _pair(self, runs: Sequence[Run], images: np.ndarray | None) -> list[Member]:
        """Two of the runs, with fewer examples; a run and its twin of another seed, where there is one only."""
        first, last = runs[0], runs[-1]
        last = (last.seed, last.learning_rate) if last is not first else (first.seed + 1, first.learning_rate)
        count = None if images is None else len(images)
        pair = [Member(first.seed, count, first.learning_rate), Member(last[0], count, last[1])]
        return pair if self.fused else pair[:1]

    def _part(self, where: str, choice: Choice) -> None:
        made = self.components.build(where, choice)
        faults = {"objective": objective_fault, "regularizer": regularizer_fault, "optimizer": optimizer_fault}
        if choice.family in faults:
            self.components.hold(where, choice, [choice], lambda: faults[choice.family](made))

    def _architecture(self, choice: Choice, dataset: Choice, data: DataSpec) -> None:
        made = self.components.build("grid", choice)
        refusal = self.components.supported("grid", choice, made, data)
        fault = refusal
        if refusal is None:
            with self.components.attempt("grid", [choice]):
                fault = architecture_fault(made, data, fused=self.fused)
        if fault:
            name = choice.signature if choice.component.path.is_relative_to(PACKAGE) else str(choice.component.path)
            rest = self._alternatives(data) if refusal else f"\n{CONTRACTS['architecture']}"
            raise GanbenchError(
                f"grid: architecture {name!r} cannot do data set {dataset.signature!r} with examples of shape "
                f"{data.shape}: {fault}.{rest}"
            )

    def _alternatives(self, data: DataSpec) -> str:
        able = [
            name
            for name, component in registry.components("architecture").items()
            if not component.build(component.complete({})).supports(data)
        ]
        return f" Architectures that can: {', '.join(able)}." if able else ""
