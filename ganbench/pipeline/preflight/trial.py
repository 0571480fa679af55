"""The trial of a study.

Every method takes training steps and an evaluation under its real settings on a few examples, and every component is
held to its family's contract. Components' files may do anything, so `ganbench.pipeline.preflight.check` runs the trial
in a process that can be killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from ganbench.architectures import labels_caution, packing_fault
from ganbench.contracts import CONTRACTS
from ganbench.contracts.losses_and_optimizers import objective_fault, optimizer_fault, regularizer_fault
from ganbench.contracts.networks import architecture_fault
from ganbench.contracts.repeatability import world
from ganbench.contracts.steps import CPU
from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.engine.precision import check_precision
from ganbench.engine.train import train
from ganbench.games.gan import GAN
from ganbench.pipeline.execution.devices import check_device, timed_on
from ganbench.pipeline.execution.instantiation import build_training
from ganbench.pipeline.execution.processor import one_thread
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning.grid import components_of
from ganbench.pipeline.preflight.component_trials import ComponentTrials, Say
from ganbench.pipeline.preflight.sizes import memory_fault, memory_of, trial_size
from ganbench.pipeline.preflight.trial_claims import refuse_claims
from ganbench.pipeline.preflight.trial_data import DataTrials
from ganbench.pipeline.preflight.trial_diagnostics import DiagnosticTrials
from ganbench.pipeline.preflight.trial_messages import Estimated, Note, Progress
from ganbench.pipeline.preflight.trial_metrics import MetricTrials
from ganbench.pipeline.preflight.trial_steps import StepTrials, small_first
from ganbench.pipeline.resources import stored_estimates
from ganbench.pipeline.resources.estimator import Estimator
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.study.choices import Choice
from ganbench.study.runs import Run

ESTIMATE_SECONDS = 600.0  # limit of processor time for the estimate of a method, and for all other timings
BATCH = 8  # largest number of examples in a batch


def try_study(
    plan: Plan, *, here: bool = True, remeasure: bool = True, say: Say = lambda message: None
) -> tuple[list[Estimate], Timings]:
    """Try what the jobs will do, and time it.

    Args:
        plan: the study's plan.
        here: whether jobs will run on this machine: on a cluster, the machine that submits them may have no GPU.
        remeasure: whether to time again what has not changed since an earlier trial.
        say: called with a message when a part begins, for each note, for each method, and once that has been timed.

    Returns:
        The estimates of all methods, and the timings of all other work.

    Raises:
        GanbenchError: an architecture does not support a data set, a game cannot be played with its options, a
            diagnostic cannot measure a game or does not measure what a claim needs, a metric supports no data set, a
            method does not fit into memory, the device does not exist or lacks a precision, or a component breaks its
            family's contract.
    """
    one_thread()
    if here:
        check_device(plan.study.machine.device)
        for precision in dict.fromkeys(run.train.precision for run in plan.grid.runs):
            check_precision(precision, timed_on(plan.study.machine.device, here))
    trial = Trial(plan, say, memory_of(plan, here=here))
    trial.metrics.columns()
    methods = {name: [run for run in plan.grid.runs if run.method == name] for name in plan.grid.methods}
    for number, runs in enumerate(small_first(methods.values()), 1):
        say(Progress(f"trying method {number:,} of {len(methods):,}: {runs[0].method}"))
        trial.method(runs)
    trial.diagnostics.columns()
    refuse_claims(plan, trial.metrics, trial.diagnostics)
    return _timed(trial, methods, timed_on(plan.study.machine.device, here), remeasure)


def _timed(
    trial: Trial, methods: dict[str, list[Run]], device: torch.device, remeasure: bool
) -> tuple[list[Estimate], Timings]:
    """The estimates of all methods, and the timings of all other work."""
    plan, say = trial.plan, trial.components.say
    estimator, estimates = Estimator(plan, device, trial.data.loaded), []
    known = {} if remeasure else stored_estimates.read_estimates(plan.folder)
    for number, (name, runs) in enumerate(methods.items(), 1):
        say(Progress(f"timing method {number:,} of {len(methods):,}: {name}"))
        with trial.components.attempt(f"grid: {name}", runs[0].choices, ESTIMATE_SECONDS):
            estimates.append(estimator.estimate(runs, known.get(name)))
        say(Estimated(estimates[-1]))
    say(Progress("timing data sets, judges and diagnostics"))
    choices = list(dict.fromkeys(choice for runs in methods.values() for choice in runs[0].choices))
    diagnostics = [experiment.diagnostic for experiment in plan.study.diagnose]
    with trial.components.attempt("the study", [*choices, *diagnostics], ESTIMATE_SECONDS):
        return estimates, estimator.timings(known=None if remeasure else stored_estimates.read_timings(plan.folder))


class Trial:
    """The trial of a study's components and methods. A component is tried once, however many methods have it.

    Args:
        plan: the study's plan.
        say: called with a message when a part begins, and for each note.
        memory: the bytes of memory that a job may take.
    """

    def __init__(self, plan: Plan, say: Say, memory: int) -> None:
        self.plan, self.memory = plan, memory
        self.components = ComponentTrials(say)
        self.fused = plan.study.pack.fuse != "never"
        self.steps = StepTrials(self.components, fused=self.fused)
        self.data = DataTrials(plan, self.components)
        self.metrics = MetricTrials(plan, self.components, self.data)
        self.diagnostics = DiagnosticTrials(plan, self.components, self.data)

    def method(self, runs: Sequence[Run]) -> None:
        """Try a method: its components, training steps, an evaluation and its diagnostics.

        Args:
            runs: all runs of the method.

        Raises:
            GanbenchError: the method does not fit into memory, or has another fault.
        """
        run = runs[0]
        where = f"grid: {run.method}"
        for choice in run.choices:
            if choice.family not in ("game", "dataset", "architecture"):
                self.components.once(choice, partial(self._part, where, choice))
        dataset, architecture = run.choice("dataset"), run.choice("architecture")
        data = examples = None
        if dataset:
            data, examples = self.data.tried(dataset)[0], self.data.training_set(dataset)
        if architecture:
            self._fits(where, runs)
            self.components.once((architecture, dataset), partial(self._architecture, architecture, dataset, data))
            self._packing(where, runs)
        settings = run.train.model_dump(mode="json")
        for each in {each.train: each for each in runs}.values():  # lengths of training differ, and schedules with them
            with self.components.attempt(where, each.choices):
                build_training(each.train.model_dump(mode="json"), components_of(each))
        size = settings["batch_size"] // settings["accumulation_steps"]
        parts = settings["accumulation_steps"] = min(settings["accumulation_steps"], 2)
        packing_degree = architecture.build().packing_degree if architecture else 1
        settings["batch_size"] = parts * min(size, max(BATCH - BATCH % packing_degree, 2 * packing_degree))
        game, training = self.steps.training(where, run, settings, examples)
        if self.fused and isinstance(game, GAN) and (why := game.unvectorised):
            self.components.say(Note(f"{where}: {why}."))
        with self.components.attempt(where, run.choices, size=trial_size(game, training)):
            trees = train(game, training, self.steps.pair(runs, examples), device=CPU)
        if architecture:
            self.metrics.evaluation(run, data, trees)
        self.diagnostics.diagnosis(run, game, training, self.steps.pair(runs, examples), trees)

    def _fits(self, where: str, runs: Sequence[Run]) -> None:
        """Refuse runs that do not fit into memory, before anything is allocated."""
        for run in {run.train: run for run in runs}.values():
            with self.components.attempt(where, run.choices), world(1):
                fault = memory_fault(self.plan.study, run, self.memory)
            if fault:
                raise GanbenchError(f"{where}: {fault}.")

    def _packing(self, where: str, runs: Sequence[Run]) -> None:
        """Refuse batches that the architecture's `packing_degree` does not divide."""
        choice = runs[0].choice("architecture")
        made = self.components.build(where, choice)
        for how in {run.train: run for run in runs}:
            if fault := packing_fault(made, how.batch_size // how.accumulation_steps):
                said = "train.batch_size" + (" / accumulation_steps" if how.accumulation_steps > 1 else "")
                raise GanbenchError(f"{where}: {said}: with architecture {choice.signature!r}, {fault}.")

    def _part(self, where: str, choice: Choice) -> None:
        for part in choice.parts:
            self.components.once(part, partial(self._part, where, part))
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
            name = choice.signature if choice.component.shipped else str(choice.component.path)
            rest = self._alternatives(data) if refusal else f"\n{CONTRACTS['architecture']}"
            raise GanbenchError(
                f"grid: architecture {name!r} cannot be used with data set {dataset.signature!r} with examples of "
                f"shape {data.shape}: {fault}.{rest}"
            )
        labels = self.data.loaded[dataset].examples.train_modes if made.conditional else None
        for caution in (made.caution(data), None if labels is None else labels_caution(labels, data.modes)):
            if caution:
                self.components.say(Note(f"{choice.signature} on {dataset.signature}: {caution}."))

    def _alternatives(self, data: DataSpec) -> str:
        able = [
            name
            for name, component in registry.components("architecture").items()
            if not component.build(component.complete({})).unsupported(data)
        ]
        return f" Architectures that can: {', '.join(able)}." if able else ""
