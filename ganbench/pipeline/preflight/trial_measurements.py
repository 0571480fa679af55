"""The trial of data sets, judges, metrics and diagnostics, on a few examples and runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ganbench.analysis.columns import OUTCOMES, RUNS, SNAPSHOTS
from ganbench.analysis.outcomes.mode_collapse import KL
from ganbench.claims import event_quantities
from ganbench.contracts.data import draw_fault, examples_fault, few_examples, judge_fault, load_checked
from ganbench.contracts.measuring import diagnosis_fault, metric_fault
from ganbench.contracts.repeatability import call_twice
from ganbench.contracts.steps import CPU
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.formatting import join_words
from ganbench.core.metric_info import columns_fault, of_averages
from ganbench.core.pixels import floats
from ganbench.core.registry import PACKAGE
from ganbench.core.tree import Tree
from ganbench.data import DataSpec, Examples
from ganbench.engine.diagnose import trajectories_of
from ganbench.engine.evaluate import evaluate
from ganbench.engine.sampler import Sampler
from ganbench.engine.scoring import Scorer, reference_examples
from ganbench.engine.train import Training
from ganbench.games import Game, Member
from ganbench.games.gan import player_buffers
from ganbench.judges import silent
from ganbench.pipeline.execution import instantiation
from ganbench.pipeline.execution.instantiation import build_game
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning.grid import component_config, components_of
from ganbench.pipeline.preflight.claimed_outcomes import (
    critics,
    recorded,
    refuse_unrecorded,
    refuse_unseen,
    unmeasured,
    unseen,
)
from ganbench.pipeline.preflight.component_trials import ComponentTrials
from ganbench.pipeline.preflight.stand_in_judge import StandIn
from ganbench.pipeline.resources.dataset_costs import Loaded
from ganbench.study.choices import Choice
from ganbench.study.claim_tests import OF_METRICS
from ganbench.study.claims import variables
from ganbench.study.experiments import Experiment
from ganbench.study.grid import Run
from ganbench.study.judging import known_modes, needs_weights
from ganbench.study.selectors import Selector, matches

LOAD_SECONDS = 120.0  # limit of processor time for loading a user's data set, which may decode many files
QUICK_SECONDS = 10.0  # a data set that loads in less time is loaded twice, to compare both loads
SAMPLES, SHOWN = 16, 4


class Measuring:
    """The part of a trial that loads data and measures runs.

    Attributes:
        loaded: The examples of data sets that have been tried.

    Args:
        plan: The study's plan.
        components: The trials of components.
    """

    def __init__(self, plan: Plan, components: ComponentTrials) -> None:
        self.plan, self.components = plan, components
        self.loaded: dict[Choice, Loaded] = {}
        self._data: dict[Choice, tuple[DataSpec, Examples]] = {}
        self._metrics: dict[Choice, Any] = {}
        self._panels: dict[Choice, Scorer] = {}
        self._diagnostics: dict[str, Any] = {}
        self._series: dict[str, tuple[str, ...]] = {}  # by method, the series that its runs record
        self._measured: set[str] = set()  # names of measurements that claims may use

    # Data sets and judges -------------------------------------------------------------------------------------------

    def data(self, choice: Choice) -> tuple[DataSpec, instantiation.TrainingSet]:
        """Try a data set and its judge.

        Args:
            choice: The data set.

        Returns:
            The data set's specification, and a few of its training examples with their labels.
        """
        if choice not in self._data:
            made = self.components.build("grid", choice)
            examples = few_examples(self._examples(choice, made))
            self._data[choice] = made.spec, examples
            self._judge(choice, made, examples)
        spec, examples = self._data[choice]
        return spec, instantiation.TrainingSet(examples.train, examples.train_modes)

    def _examples(self, choice: Choice, made: Any) -> Examples:
        """The examples of a data set: prepared ones if they exist, since they have been held to the contract."""
        job = next(job for job in self.plan.prepare.values() if job.task.dataset == component_config(choice))
        packaged = choice.component.path.is_relative_to(PACKAGE)  # tests load it twice; it may have millions of images
        began = time.process_time()
        if job.done:
            examples = instantiation.examples(job.path)
        else:
            with self.components.attempt("grid", [choice], None if packaged else LOAD_SECONDS):
                examples = made.load()
        self.loaded[choice] = Loaded(examples, time.process_time() - began)
        if job.done:
            return examples
        with self.components.attempt("grid", [choice], None if packaged else LOAD_SECONDS):
            fault = examples_fault(made.spec, examples) or (draw_fault(made) if packaged else None)
        self.components.refuse("grid", choice, fault)
        if not packaged and time.process_time() - began < QUICK_SECONDS:
            with self.components.attempt("grid", [choice], LOAD_SECONDS):
                examples, fault = load_checked(made)
            self.components.refuse("grid", choice, fault)
        return examples

    def _judge(self, dataset: Choice, made: Any, examples: Examples) -> None:
        choice = self.plan.judge_of(dataset)
        component, modes = choice.component, made.spec.modes
        judge = self.components.build("grid", choice)
        if needs_weights(
            choice
        ):  # its network takes too long for a trial; its weights are verified, and tests cover it
            return

        def fitted() -> str | None:
            memory, fault = call_twice(lambda: judge.fit(examples, silent))
            if fault:
                return f"its fit() {fault}"
            return judge_fault(judge, memory, examples.train, modes)

        with self.components.attempt("grid", [choice]):
            accuracy = {"accuracy": 0.0} if judge.tells_modes else {}
            fault = judge_fault(judge, {**judge.untrained(examples), **accuracy}, examples.train, modes)
        self.components.refuse("grid", choice, fault)
        if not component.path.is_relative_to(PACKAGE):  # the package's own judges are fitted in its tests
            self.components.hold_briefly(f"the judge of {dataset.signature}", choice, fitted, declines=True)

    # Metrics --------------------------------------------------------------------------------------------------------

    def columns(self) -> None:
        """Hold the metrics' columns to the contract: no two metrics may fill the same column.

        Raises:
            GanbenchError: A metric breaks the contract, fills a column that is taken, or supports no data set.
        """
        if not self.plan.gans:
            return
        taken = {name: "the tables" for name in (*SNAPSHOTS, *RUNS, "judge_accuracy")}
        for choice in self.plan.study.evaluate.metrics:
            made = self._metrics[choice] = self.components.build("evaluate.metrics", choice)
            with self.components.attempt("evaluate.metrics", [choice]):
                columns = made.columns
                fault = columns_fault(columns)
            self.components.refuse("evaluate.metrics", choice, fault or self._too_few(made.fewest))
            if any(run.train.ema_decay is not None for run in self.plan.runs):
                columns = {**columns, **of_averages(columns)}
            for name in columns:
                for column in (name, f"{name}_final"):  # in the tables of snapshots and of runs
                    if column in taken:
                        fault = f"column {column!r} is one of {taken[column]} already; call it something else"
                        self.components.refuse("evaluate.metrics", choice, fault)
                    taken[column] = f"metric {choice.signature}"
            self._measured |= {f"{prefix}.{column}" for prefix in OF_METRICS for column in columns}
        if not self._collapse_metric():
            self.components.say({"note": "without the metric mode_coverage, no collapse can be detected."})
        self._fit_some_data()

    def _too_few(self, fewest: int) -> str | None:
        """Why a metric of at least so many examples cannot be computed in the study, as a clause; None if it can."""
        wants, samples = f"it needs {fewest:,} examples or more", self.plan.study.evaluate.samples
        if samples < fewest:
            return f"{wants}, but evaluate.samples is {samples:,}"
        for dataset in dict.fromkeys(run.choice("dataset") for run in self.plan.runs if run.choice("dataset")):
            if (train := self.components.build("grid", dataset).spec.train) < fewest:
                return f"{wants}, but {dataset.signature} has {train:,} training examples"
        return None

    def _collapse_metric(self) -> bool:
        """Whether a metric shows collapses."""
        return any(KL in made.columns for made in self._metrics.values())

    def _fit_some_data(self) -> None:
        """Refuse a metric that supports no data set of the study, and tell of one that lacks labels."""
        datasets = list(dict.fromkeys(dataset for run in self.plan.runs if (dataset := run.choice("dataset"))))
        for choice, made in self._metrics.items():
            faults = {dataset: self._unsupported(choice, made, dataset) for dataset in datasets}
            lacking = [dataset.signature for dataset, (_, labels) in faults.items() if labels]
            if lacking:
                why = next(fault for fault, labels in faults.values() if labels)
                text = f"evaluate.metrics: {choice.signature} is left out for {join_words(lacking)}: {why}."
                self.components.say({"note": text})
            if all(fault and not labels for fault, labels in faults.values()):
                why = "; ".join(f"{dataset.signature}: {fault}" for dataset, (fault, _) in faults.items())
                raise GanbenchError(f"evaluate.metrics: {choice.signature} supports no data set of the study ({why}).")

    def _unsupported(self, choice: Choice, made: Any, dataset: Choice) -> tuple[str | None, bool]:
        """Why a metric does not support a data set, if so, and whether for want of modes alone."""
        spec = self.components.build("grid", dataset).spec
        fault, modes = self._supported(choice, made, self._seen(dataset, spec)), max(spec.modes, 1)
        return fault, fault is not None and self._supported(choice, made, replace(spec, modes=modes)) is None

    def _supported(self, choice: Choice, made: Any, spec: DataSpec) -> str | None:
        return self.components.supported("evaluate.metrics", choice, made, spec)

    def _seen(self, dataset: Choice, spec: DataSpec) -> DataSpec:
        """A data set as its judge knows it."""
        return replace(spec, modes=known_modes(self.plan.judge_of(dataset), dataset))

    def _scorer(self, dataset: Choice) -> Scorer:
        """The scorer of a data set, whose metrics have been held to their contract."""
        if dataset not in self._panels:
            spec, examples = self._data[dataset]
            spec = self._seen(dataset, spec)
            judge = StandIn(spec.modes)
            fewest = max(made.fewest for made in self._metrics.values())
            images = np.resize(floats(examples.train), (max(2 * SAMPLES, 4 * spec.modes, 2 * fewest), *spec.shape))
            self._say_cautions(dataset)
            ready = []
            for choice, made in self._metrics.items():
                # The FID's network takes too long for a trial; its weights are verified, and tests cover it.
                if choice.component.name == "fid" or made.supports(spec) is not None:
                    continue
                real, generated = (judge.judge({}, half) for half in (images, images[: len(images) // 2].copy()))
                self.components.hold(
                    "evaluate.metrics",
                    choice,
                    [choice],
                    lambda made=made, judged=(real, generated): metric_fault(made, spec, *judged),
                )
                ready.append((choice, made))
            with self.components.attempt("evaluate.metrics", [choice for choice, _ in ready] or [dataset]):
                self._panels[dataset] = Scorer.of(
                    judge, {}, [made for _, made in ready], spec, Examples(images, None, images, None)
                )
        return self._panels[dataset]

    def _say_cautions(self, dataset: Choice) -> None:
        """Tell of metrics whose numbers mean little at the study's sizes."""
        (spec, examples), chosen = self._data[dataset], self.plan.judge_of(dataset)
        judge = chosen.build()
        state = judge.untrained(examples)
        if needs_weights(chosen):  # which may not be there yet
            features = len(state["mean"])
        else:
            features = judge.judge(state, floats(examples.train[:2])).features.shape[1]
        real = len(reference_examples(np.arange(spec.train)))
        for choice, made in self._metrics.items():
            if made.supports(self._seen(dataset, spec)) is None and (
                caution := made.caution(self.plan.study.evaluate.samples, real, features)
            ):
                self.components.say({"note": f"{choice.signature} on {dataset.signature}: {caution}."})

    def evaluation(self, run: Run, data: DataSpec, trees: Sequence[Tree]) -> None:
        """Evaluate the snapshots of a run.

        Args:
            run: The run.
            data: The specification of its data set.
            trees: The results of training; the first is evaluated.

        Raises:
            GanbenchError: A metric breaks the contract, or the evaluation failed.
        """
        dataset, choice = run.choice("dataset"), run.choice("architecture")
        scorer = self._scorer(dataset)
        with self.components.attempt(f"grid: {run.method}", [choice, *self.plan.study.evaluate.metrics]):
            generators, buffers = trees[0]["snapshots"]["generator"], player_buffers(trees[0]["buffers"], "generator")
            sampler = Sampler(choice.build(), data, run.train.batch_size // run.train.accumulation_steps, CPU)
            average = trees[0].get("average", {}).get("generator")
            evaluate(scorer, sampler, run.seed, generators, buffers, SAMPLES, SHOWN, average)

    # Diagnostics ----------------------------------------------------------------------------------------------------

    def diagnosis(
        self, run: Run, game: Game, training: Training, members: Sequence[Member], trees: Sequence[Tree]
    ) -> None:
        """Measure a method with the experiments that select it.

        Args:
            run: A run of the method.
            game: The game.
            training: The training.
            members: The members that were trained.
            trees: The results of training, in the order of the members.

        Raises:
            GanbenchError: A diagnostic breaks the contract.
        """
        self._series[run.method] = tuple(trees[0]["curves"]["series"])
        for name, experiment in self.plan.experiments.items():
            choice, where = experiment.diagnostic, f"diagnose.{name}"
            if _of_study(experiment) or not matches(experiment.where, run.point):
                continue
            made = self._diagnostic(name, experiment)
            if self.components.supported(where, choice, made, game) is not None:
                continue

            seen = self._seen_by(choice, run.choice("dataset"))

            def fault(made: Any = made, seen: dict[str, Any] = seen) -> str | None:
                kept = [tree["snapshots"] | {"buffers": tree["buffers"]} for tree in trees]
                how = {"device": CPU, "dtype": training.dtype, "schedule": training.factor}
                shown = trajectories_of(
                    game, training.dynamics, training.optimizer, members, kept, training.snapshots, **how, **seen
                )
                return diagnosis_fault(made, game, made.measure(shown), len(members))

            key = (name, run.choices[0].component.name)  # once a kind of game
            self.components.once(key, lambda fault=fault: self.components.hold_briefly(where, choice, fault))  # noqa: B023

    def _seen_by(self, diagnostic: Choice, dataset: Choice | None) -> dict[str, Any]:
        """What a diagnostic sees of a data set: a few examples, and a judge if it needs one."""
        if dataset is None:
            return {}
        spec, examples = self._data[dataset]
        judge = StandIn(self._seen(dataset, spec).modes)
        needed = diagnostic.component.constants.get("needs_judge", False)
        return {"real": examples, "judging": Scorer(judge, {}, ()).judged if needed else None}

    def diagnostics(self) -> None:
        """Refuse diagnostics that cannot measure the runs they select, and claims about what is not measured.

        Raises:
            GanbenchError: A diagnostic or a claim is refused.
        """
        for name, experiment in self.plan.experiments.items():
            made, choice, where = self._diagnostic(name, experiment), experiment.diagnostic, f"diagnose.{name}"
            if _of_study(experiment):
                self._know(name, made, choice, None)
                if not choice.component.path.is_relative_to(PACKAGE):
                    self.components.hold_briefly(
                        where, choice, lambda made=made: diagnosis_fault(made, None, made.measure(None), None)
                    )
                continue
            selected = {run.choices: run for run in self.plan.runs if matches(experiment.where, run.point)}
            for run in selected.values():
                game = build_game(components_of(run), run.train.model_dump(mode="json"), None, CPU)
                fault = self.components.supported(where, choice, made, game)
                if fault is None:
                    self._know(name, made, choice, game)
                elif experiment.where != Selector():
                    raise GanbenchError(f"{where}: {choice.signature} cannot measure {run.method}: {fault}")
        self._measured |= {f"outcome.{outcome.replace('-', '_')}" for outcome in (*OUTCOMES, "failed")}
        of_runs = [
            (run.point, recorded(self._series[run.method], data=run.choice("dataset") is not None))
            for run in self.plan.runs
        ]
        self._measured |= event_quantities.NAMES.union(*(has for _, has in of_runs))
        datasets = dict.fromkeys(dataset for run in self.plan.runs if (dataset := run.choice("dataset")))
        hidden = {dataset: self._unseen(dataset) for dataset in datasets}
        points = [
            (run.point, hidden[dataset] | critics(run.choice("objective")))
            for run in self.plan.runs
            if (dataset := run.choice("dataset"))
        ]
        for where, names, selectors in self._named():
            refuse_unseen(where, names, selectors, points)
            for quantity in sorted(names - self._measured):
                alike = {name for name in self._measured if name.partition(".")[0] == quantity.partition(".")[0]}
                raise GanbenchError(f"{where}: " + unknown("measurement", quantity, alike or self._measured))
            refuse_unrecorded(where, names, selectors, of_runs)

    def _named(self) -> Iterator[tuple[str, set[str], list[Selector]]]:
        """The measurements that tests of claims and published numbers name: location, dotted names, selected runs."""
        for claim in self.plan.study.claims:
            for check in claim.tests:
                names, selectors = set(variables(check)), [of for _, of in check.test.selectors()]
                yield f"claims.{claim.id}", {name for name in names if "." in name}, selectors
        for index, each in enumerate(self.plan.study.published):
            yield f"published[{index}]", {name for name in each.quantity.names if "." in name}, [each.where]

    def _unseen(self, dataset: Choice) -> dict[str, str]:
        """What claims cannot name of runs on a data set, each with the reason."""
        fitting = [
            made for choice, made in self._metrics.items() if self._unsupported(choice, made, dataset)[0] is None
        ]
        columns = {column: info for made in fitting for column, info in made.columns.items()}
        return unseen(columns, known_modes(self.plan.judge_of(dataset), dataset)) | unmeasured(columns)

    def _diagnostic(self, name: str, experiment: Experiment) -> Any:
        if name not in self._diagnostics:
            self._diagnostics[name] = self.components.build(f"diagnose.{name}", experiment.diagnostic)
        return self._diagnostics[name]

    def _know(self, name: str, made: Any, choice: Choice, game: Game | None) -> None:
        with self.components.attempt(f"diagnose.{name}", [choice]):
            columns = made.columns(game)
            fault = columns_fault(columns)
            compared = {} if game is None else made.compared(game)
        self.components.refuse(f"diagnose.{name}", choice, fault)
        self._measured |= {f"{name}.{column}" for column in (*columns, *compared)}


def _of_study(experiment: Experiment) -> bool:
    return experiment.diagnostic.component.constants.get("of") == "study"
