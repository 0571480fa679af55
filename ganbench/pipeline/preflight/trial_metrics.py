"""The trial of metrics, on a few examples and runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ganbench.analysis.columns import RUNS, SNAPSHOTS
from ganbench.analysis.outcomes.mode_collapse import KL
from ganbench.contracts.measuring import metric_fault
from ganbench.contracts.steps import CPU
from ganbench.core.dotted_names import under
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import join_words
from ganbench.core.metric_info import MetricInfo, columns_fault, of_averages
from ganbench.core.pixels import floats
from ganbench.core.tree import Tree
from ganbench.data import DataSpec, Examples
from ganbench.engine.evaluate import evaluate
from ganbench.engine.real_draws import smallest_split
from ganbench.engine.sampler import Sampler
from ganbench.engine.scoring import Scorer, reference_examples
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.component_trials import ComponentTrials
from ganbench.pipeline.preflight.trial_data import DataTrials
from ganbench.pipeline.preflight.trial_messages import Note
from ganbench.pipeline.resources.stand_in_judge import StandIn
from ganbench.study.choices import Choice
from ganbench.study.claim_tests import OF_METRICS
from ganbench.study.judging import needs_weights
from ganbench.study.runs import Run

SAMPLES, SHOWN = 16, 4


class MetricTrials:
    """The part of a trial that evaluates runs.

    Attributes:
        measured: names of the measurements by metrics that claims may use.

    Args:
        plan: the study's plan.
        components: the trials of components.
        data: the trials of data sets.
    """

    def __init__(self, plan: Plan, components: ComponentTrials, data: DataTrials) -> None:
        self.plan, self.components, self._data = plan, components, data
        self.measured: set[str] = set()
        self._metrics: dict[Choice, Any] = {}
        self._panels: dict[Choice, Scorer] = {}

    def columns(self) -> None:
        """Hold the metrics' columns to the contract: no two metrics may fill the same column.

        Raises:
            GanbenchError: a metric breaks the contract, fills a column that is taken, or supports no data set.
        """
        if not self.plan.grid.gans:
            return
        taken = {name: "the tables" for name in (*SNAPSHOTS, *RUNS, "judge_accuracy")}
        for choice in self.plan.study.evaluate.metrics:
            made = self._metrics[choice] = self.components.build("evaluate.metrics", choice)
            with self.components.attempt("evaluate.metrics", [choice]):
                columns = made.columns
                fault = columns_fault(columns)
            self.components.refuse("evaluate.metrics", choice, fault or self._too_few(made.fewest))
            if any(run.train.ema_decay is not None for run in self.plan.grid.runs):
                columns = {**columns, **of_averages(columns)}
            for name in columns:
                for column in (name, f"{name}_final"):  # in the tables of snapshots and of runs
                    if column in taken:
                        fault = f"column {column!r} is one of {taken[column]} already; call it something else"
                        self.components.refuse("evaluate.metrics", choice, fault)
                    taken[column] = f"metric {choice.signature}"
            self.measured |= {f"{prefix}.{column}" for prefix in OF_METRICS for column in columns}
        if not self._collapse_metric():
            self.components.say(Note("without the metric mode_coverage, no collapse can be detected."))
        self._fit_some_data()

    def _too_few(self, fewest: int) -> str | None:
        """Why a metric of at least so many examples cannot be computed in the study, as a clause; None if it can."""
        wants, samples = f"it needs {fewest:,} examples or more", self.plan.study.evaluate.samples
        if samples < fewest:
            return f"{wants}, but evaluate.samples is {samples:,}"
        for dataset in dict.fromkeys(run.choice("dataset") for run in self.plan.grid.runs if run.choice("dataset")):
            if (train := self.components.build("grid", dataset).spec.train) < fewest:
                return f"{wants}, but {dataset.signature} has {train:,} training examples"
        return None

    def _collapse_metric(self) -> bool:
        """Whether a metric shows collapses."""
        return any(KL in made.columns for made in self._metrics.values())

    def _fit_some_data(self) -> None:
        """Refuse a metric that supports no data set of the study, and tell of one that lacks labels."""
        datasets = list(dict.fromkeys(dataset for run in self.plan.grid.runs if (dataset := run.choice("dataset"))))
        for choice, made in self._metrics.items():
            faults = {dataset: self._unsupported(choice, made, dataset) for dataset in datasets}
            lacking = [dataset.signature for dataset, (_, labels) in faults.items() if labels]
            if lacking:
                why = next(fault for fault, labels in faults.values() if labels)
                text = f"evaluate.metrics: {choice.signature} is left out for {join_words(lacking)}: {why}."
                self.components.say(Note(text))
            if all(fault and not labels for fault, labels in faults.values()):
                why = "; ".join(f"{dataset.signature}: {fault}" for dataset, (fault, _) in faults.items())
                raise GanbenchError(f"evaluate.metrics: {choice.signature} supports no data set of the study ({why}).")

    def _unsupported(self, choice: Choice, made: Any, dataset: Choice) -> tuple[str | None, bool]:
        """Why a metric does not support a data set, if so, and whether for want of modes alone."""
        spec = self.components.build("grid", dataset).spec
        fault, modes = self._supported(choice, made, self._data.judged_spec(dataset)), max(spec.modes, 1)
        return fault, fault is not None and self._supported(choice, made, replace(spec, modes=modes)) is None

    def _supported(self, choice: Choice, made: Any, spec: DataSpec) -> str | None:
        return self.components.supported("evaluate.metrics", choice, made, spec)

    def _scorer(self, dataset: Choice) -> Scorer:
        """The scorer of a data set, whose metrics have been held to their contract."""
        if dataset not in self._panels:
            spec, (_, examples) = self._data.judged_spec(dataset), self._data.tried(dataset)
            judge = StandIn(spec.modes)
            fewest = max(made.fewest for made in self._metrics.values())
            images = np.resize(floats(examples.train), (max(2 * SAMPLES, 4 * spec.modes, 2 * fewest), *spec.shape))
            self._say_cautions(dataset)
            ready = []
            for choice, made in self._metrics.items():
                # Inception takes too long for a trial; its weights are verified, and tests cover the FID.
                if needs_weights(choice) or made.unsupported(spec) is not None:
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
        (spec, examples), chosen = self._data.tried(dataset), self.plan.grid.judge_of(dataset)
        judge = chosen.build()
        state = judge.untrained(examples)
        if needs_weights(chosen):  # which may not be there yet
            features = len(state["mean"])
        else:
            features = judge.judge(state, floats(examples.train[:2])).features.shape[1]
        real = len(reference_examples(np.arange(spec.train)))
        samples, heldout = self.plan.study.evaluate.samples, self._data.heldout(dataset)
        split = None if heldout is None else smallest_split(samples, real, heldout)
        for choice, made in self._metrics.items():
            if made.unsupported(self._data.judged_spec(dataset)) is not None:
                continue
            at = f"{choice.signature} on {dataset.signature}"
            if caution := made.caution(samples, real, features):
                self.components.say(Note(f"{at}: {caution}."))
            elif split and (caution := made.caution(*split, features)):
                text = (
                    f"{at}: it will not be known what real data score, since of {real + heldout:,} real examples"
                    f" smaller parts have to play {samples:,} samples, and there {caution}. Hold out more examples, or"
                    " score fewer samples."
                )
                self.components.say(Note(text))

    def evaluation(self, run: Run, data: DataSpec, trees: Sequence[Tree]) -> None:
        """Evaluate the snapshots of a run.

        Args:
            run: the run.
            data: the specification of its data set.
            trees: the results of training; the first is evaluated.

        Raises:
            GanbenchError: a metric breaks the contract, or the evaluation failed.
        """
        dataset, choice = run.choice("dataset"), run.choice("architecture")
        scorer = self._scorer(dataset)
        with self.components.attempt(f"grid: {run.method}", [choice, *self.plan.study.evaluate.metrics]):
            generators, buffers = trees[0]["snapshots"]["generator"], under("generator", trees[0]["buffers"])
            sampler = Sampler(choice.build(), data, run.train.batch_size // run.train.accumulation_steps, CPU)
            average = trees[0].get("average", {}).get("generator")
            evaluate(scorer, sampler, run.seed, generators, buffers, SAMPLES, SHOWN, average)

    def fitting(self, dataset: Choice) -> dict[str, MetricInfo]:
        """The columns of the metrics that are evaluated on a data set, with their meanings."""
        able = [made for choice, made in self._metrics.items() if self._unsupported(choice, made, dataset)[0] is None]
        return {column: info for made in able for column, info in made.columns.items()}
