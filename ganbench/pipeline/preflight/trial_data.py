"""The trial of data sets and judges, on a few examples."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from ganbench.contracts.data import draw_fault, examples_fault, few_examples, judge_fault, load_checked
from ganbench.contracts.repeatability import call_twice
from ganbench.data import DataSpec, Examples
from ganbench.data._images import rehearsed
from ganbench.judges import silent
from ganbench.pipeline.execution import instantiation
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning.grid import component_config
from ganbench.pipeline.preflight.component_trials import ComponentTrials
from ganbench.pipeline.preflight.trial_messages import Note
from ganbench.pipeline.resources.dataset_costs import Loaded
from ganbench.study.choices import Choice
from ganbench.study.judging import known_modes, needs_weights

LOAD_SECONDS = 120.0  # limit of processor time for loading a user's data set, which may decode many files
DECODED = 128  # images of a part of a shipped data set that are decoded, and stand for all
QUICK_SECONDS = 10.0  # a data set that loads in less time is loaded twice, to compare both loads


class DataTrials:
    """The part of a trial that loads data.

    Attributes:
        loaded: the examples of data sets that have been tried.

    Args:
        plan: the study's plan.
        components: the trials of components.
    """

    def __init__(self, plan: Plan, components: ComponentTrials) -> None:
        self.plan, self.components = plan, components
        self.loaded: dict[Choice, Loaded] = {}
        self._tried: dict[Choice, tuple[DataSpec, Examples]] = {}
        self._heldout: dict[Choice, int] = {}

    def tried(self, choice: Choice) -> tuple[DataSpec, Examples]:
        """The specification of a data set and a few of its examples; it is tried with its judge if it has not been."""
        if choice not in self._tried:
            made = self.components.build("grid", choice)
            every = self._examples(choice, made)
            examples = few_examples(every)
            self._tried[choice], self._heldout[choice] = (made.spec, examples), len(every.heldout)
            self._judge(choice, made, examples)
        return self._tried[choice]

    def heldout(self, choice: Choice) -> int | None:
        """The number of held-out examples of a data set; None where its distribution is known, so that new ones can be
        drawn in their place."""
        self.tried(choice)
        known = self.components.build("grid", choice).draw(1, np.random.default_rng(0)) is not None
        return None if known else self._heldout[choice]

    def training_set(self, choice: Choice) -> instantiation.TrainingSet:
        """A few training examples of a data set, with their labels."""
        _, examples = self.tried(choice)
        return instantiation.TrainingSet(examples.train, examples.train_modes)

    def judged_spec(self, choice: Choice) -> DataSpec:
        """The specification of a data set as its judge knows it: with the modes that it tells apart."""
        spec = self.components.build("grid", choice).spec
        return replace(spec, modes=known_modes(self.plan.grid.judge_of(choice), choice))

    def _examples(self, choice: Choice, made: Any) -> Examples:
        """The examples of a data set: prepared ones if they exist, since they have been held to the contract."""
        job = next(job for job in self.plan.prepare.values() if job.task.dataset == component_config(choice))
        shipped = choice.component.shipped  # tests load it twice; it may have millions of images
        began, spared = time.process_time(), 0.0
        if job.done:
            examples = instantiation.examples(job.path)
        elif shipped:
            with self.components.attempt("grid", [choice], None), rehearsed(DECODED) as rehearsal:
                examples = made.load()
            spared = rehearsal.spared
        else:
            with self.components.attempt("grid", [choice], LOAD_SECONDS):
                examples = made.load()
        self.loaded[choice] = Loaded(examples, time.process_time() - began + spared)
        if job.done:
            return examples
        with self.components.attempt("grid", [choice], None if shipped else LOAD_SECONDS):
            fault = examples_fault(made.spec, examples) or (draw_fault(made) if shipped else None)
        self.components.refuse("grid", choice, fault)
        if shipped and choice.options.get("channels") == 3:
            self._say_grey(choice, examples.train)
        if not shipped and time.process_time() - began < QUICK_SECONDS:
            with self.components.attempt("grid", [choice], LOAD_SECONDS):
                examples, fault = load_checked(made)
            self.components.refuse("grid", choice, fault)
        return examples

    def _say_grey(self, choice: Choice, images: np.ndarray) -> None:
        """Tell of a data set all of whose decoded images are grey, though it reads them as colours."""
        decoded = images[:: max(1, -(-len(images) // DECODED))]
        if (decoded == decoded[:, :1]).all():
            text = f"{choice.text}: all {len(decoded):,} training images that were looked at are grey, and are read"
            advice = "as three equal channels; with channels: 1 networks are smaller"
            self.components.say(Note(f"{text} {advice}."))

    def _judge(self, dataset: Choice, made: Any, examples: Examples) -> None:
        choice = self.plan.grid.judge_of(dataset)
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
        if not component.shipped:  # the package's own judges are fitted in its tests
            self.components.hold_briefly(f"the judge of {dataset.signature}", choice, fitted, declines=True)
