"""The trial of diagnostics, on a few runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ganbench.contracts.measuring import diagnosis_fault
from ganbench.contracts.steps import CPU
from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import columns_fault
from ganbench.core.tree import Tree
from ganbench.engine.diagnose import trajectories_of
from ganbench.engine.scoring import Scorer
from ganbench.engine.train import Training
from ganbench.games import Game, Member
from ganbench.pipeline.execution.instantiation import build_game
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.planning.grid import components_of
from ganbench.pipeline.preflight.component_trials import ComponentTrials
from ganbench.pipeline.preflight.trial_data import DataTrials
from ganbench.pipeline.resources.stand_in_judge import StandIn
from ganbench.study.choices import Choice
from ganbench.study.experiments import Experiment
from ganbench.study.runs import Run
from ganbench.study.selectors import Selector, matches


class DiagnosticTrials:
    """The part of a trial that diagnoses runs.

    Attributes:
        measured: names of the measurements by diagnostics that claims may use.
        series: by method, the series that its runs record.

    Args:
        plan: the study's plan.
        components: the trials of components.
        data: the trials of data sets.
    """

    def __init__(self, plan: Plan, components: ComponentTrials, data: DataTrials) -> None:
        self.plan, self.components, self._data = plan, components, data
        self.measured: set[str] = set()
        self.series: dict[str, tuple[str, ...]] = {}
        self._diagnostics: dict[str, Any] = {}

    def diagnosis(
        self, run: Run, game: Game, training: Training, members: Sequence[Member], trees: Sequence[Tree]
    ) -> None:
        """Measure a method with the experiments that select it.

        Args:
            run: a run of the method.
            game: the game.
            training: the training.
            members: the members that were trained.
            trees: the results of training, in the order of the members.

        Raises:
            GanbenchError: a diagnostic breaks the contract.
        """
        self.series[run.method] = tuple(trees[0]["curves"]["series"])
        for name, experiment in self.plan.grid.experiments.items():
            choice, where = experiment.diagnostic, f"diagnose.{name}"
            if experiment.of_study or not matches(experiment.where, run.point):
                continue
            made = self._diagnostic(name, experiment)
            if self.components.supported(where, choice, made, game) is not None:
                continue

            seen = self._seen_by(experiment, run.choice("dataset"))

            def fault(made: Any = made, seen: dict[str, Any] = seen) -> str | None:
                kept = [tree["snapshots"] | {"buffers": tree["buffers"]} for tree in trees]
                how = {"device": CPU, "dtype": training.dtype, "schedule": training.factor}
                shown = trajectories_of(
                    game, training.dynamics, training.optimizer, members, kept, training.snapshots, **how, **seen
                )
                return diagnosis_fault(made, game, made.measure(shown), len(members))

            key = (name, run.choices[0].component.name)  # once a kind of game
            self.components.once(key, lambda fault=fault: self.components.hold_briefly(where, choice, fault))  # noqa: B023

    def _seen_by(self, experiment: Experiment, dataset: Choice | None) -> dict[str, Any]:
        """What an experiment sees of a data set: a few examples, and a judge if it needs one."""
        if dataset is None:
            return {}
        _, examples = self._data.tried(dataset)
        judge = StandIn(self._data.judged_spec(dataset).modes)
        return {"real": examples, "judging": Scorer(judge, {}, ()).judged if experiment.needs_judge else None}

    def columns(self) -> None:
        """Hold the columns of diagnostics to the contract, and refuse diagnostics that cannot measure their runs.

        Raises:
            GanbenchError: a diagnostic is refused.
        """
        for name, experiment in self.plan.grid.experiments.items():
            made, choice, where = self._diagnostic(name, experiment), experiment.diagnostic, f"diagnose.{name}"
            if experiment.of_study:
                self._know(name, made, choice, None)
                if not choice.component.shipped:
                    self.components.hold_briefly(
                        where, choice, lambda made=made: diagnosis_fault(made, None, made.measure(None), None)
                    )
                continue
            selected = {run.choices: run for run in self.plan.grid.runs if matches(experiment.where, run.point)}
            for run in selected.values():
                game = build_game(components_of(run), run.train.model_dump(mode="json"), None, CPU)
                fault = self.components.supported(where, choice, made, game)
                if fault is None:
                    self._know(name, made, choice, game)
                elif experiment.where != Selector():
                    raise GanbenchError(f"{where}: {choice.signature} cannot measure {run.method}: {fault}")

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
        self.measured |= {f"{name}.{column}" for column in (*columns, *compared)}
