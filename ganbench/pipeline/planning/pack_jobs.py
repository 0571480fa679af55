"""The jobs that run once per pack: `train`, `evaluate` and `diagnose`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import cached_property
from typing import Any

from ganbench.core.source_digests import digest, engine_digest
from ganbench.pipeline.early_stopping import stop_config
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.planning.datasets import DatasetPlan
from ganbench.pipeline.planning.grid import component_config, components_of, dataset_of
from ganbench.pipeline.tasks import (
    DiagnoseTask,
    DiagnosticConfig,
    EvaluateTask,
    FittedJudge,
    FusableGroup,
    PackMember,
    TrainTask,
    without_locations,
)
from ganbench.pipeline.typed_json import encode
from ganbench.study.choices import Choice
from ganbench.study.experiments import Experiment
from ganbench.study.grid import Run
from ganbench.study.packs import Pack
from ganbench.study.selectors import matches

EXTENT = ("steps", "snapshots", "curve_bins")  # training options that do not change what a step does


class PackPlan(DatasetPlan):
    """A plan with the jobs that run once per pack."""

    # Training -------------------------------------------------------------------------------------------------------

    @cached_property
    def train_digests(self) -> dict[str, str]:
        """The digest of each run's training, by run: of its configuration and of the sources that can change it."""
        extents = {run.id: {name: run.training[name] for name in EXTENT} for run in self.runs}
        return {run: digest([trajectory, extents[run]]) for run, trajectory in self.trajectories.items()}

    @cached_property
    def trajectories(self) -> dict[str, str]:
        """The digest of each run's training, whatever its number of steps and what is recorded of them, by run."""
        digests = {}
        for run in self.runs:
            config, examples = run.config, self.examples_of(run)
            config["train"] = {name: value for name, value in config["train"].items() if name not in EXTENT}
            stop = stop_config(run, self.study.outcome)
            known = [config, examples and examples.digest, self._train_sources(run)]
            digests[run.id] = digest([*known, *([encode(stop)] if stop else [])])
        return digests

    def _train_sources(self, run: Run) -> str:
        """The digest of the sources that can change a run's training, computed once per set of components."""
        if run.choices not in self._sources:
            self._sources[run.choices] = engine_digest(
                "train", [info for choice in run.choices for info in choice.component.with_parts(choice.options)]
            )
        return self._sources[run.choices]

    @cached_property
    def _sources(self) -> dict[tuple[Choice, ...], str]:
        return {}

    @cached_property
    def train(self) -> dict[str, Job]:
        """The training jobs, by pack."""
        return {name: self._train(pack) for name, pack in self.packs.items()}

    def _train(self, pack: Pack) -> Job:
        examples = self.examples_of(pack.runs[0])
        task = TrainTask(
            pack=pack.name,
            members=_members(pack, self.train_digests, self.trajectories),
            groups=tuple(
                FusableGroup(components_of(runs[0]), self._train_sources(runs[0])) for runs in pack.fusable_groups
            ),
            train=pack.runs[0].train.model_dump(mode="json"),
            fuse=self.study.pack.fuse,
            execution=self.study.pack.execution,
            prepared=examples and examples.path,
            stop=stop_config(pack.runs[0], self.study.outcome),
        )
        return self.file_job("train", pack.name, task, [examples] if examples else [])

    # Evaluation -----------------------------------------------------------------------------------------------------

    @cached_property
    def evaluate_digests(self) -> dict[str, str]:
        """The digest of each run's evaluation, by run that trains networks on data.

        It covers the run's training, the judge, and the metrics with their settings, and so all that their references
        depend on. It covers no null: a change of these scores nothing again.
        """
        sha256 = self.weights and self.study.evaluate.inception.sha256
        measured = without_locations(encode(self._measured))
        return {
            run.id: digest([measured, sha256, self.train_digests[run.id], self.judge[dataset_of(run)].digest])
            for run in self.runs
            if run.choice("architecture")
        }

    @cached_property
    def _measured(self) -> dict[str, Any]:
        """The fields of an evaluation task about metrics, which all packs share."""
        evaluate = self.study.evaluate
        return {
            "metrics": self.metric_configs,
            "samples": evaluate.samples,
            "samples_kept": evaluate.samples_kept,
            "sources": engine_digest("evaluate", [metric.component for metric in evaluate.metrics]),
        }

    @cached_property
    def evaluate(self) -> dict[str, Job]:
        """The evaluation jobs, by pack that trains networks on data."""
        packs = {name: pack for name, pack in self.packs.items() if pack.runs[0].choice("architecture")}
        return {name: self._evaluate(pack) for name, pack in packs.items()}

    def _evaluate(self, pack: Pack) -> Job:
        dataset, train = dataset_of(pack.runs[0]), self.train[pack.name]
        judge, reference, weights = self.judge[dataset], self.reference[dataset], self.weights
        task = EvaluateTask(
            pack=pack.name,
            members=_members(pack, self.evaluate_digests, self.trajectories),
            groups=train.task.groups,
            train_digests=tuple(member.digest for member in train.task.members),
            batch_size=train.task.train["batch_size"] // train.task.train["accumulation_steps"],
            **self._measured,
            judge=judge.task.judge,
            trained=train.path,
            fitted=judge.path,
            reference=reference.path,
            weights=self.inception,
            judge_sources=judge.task.sources,
        )
        return self.file_job("evaluate", pack.name, task, [train, judge, reference], [weights] if weights else [])

    # Diagnosis ------------------------------------------------------------------------------------------------------

    @cached_property
    def diagnose(self) -> dict[str, Job]:
        """The diagnosis jobs, by pack; the job `study` holds the experiments that measure no run."""
        of_study = [each for each in self.study.diagnose if each.of_study]
        of_runs = [each for each in self.study.diagnose if not each.of_study]
        jobs = {}
        if of_study:
            selected = {each.name: () for each in of_study}
            task = DiagnoseTask("study", (), (), {}, _diagnostic_configs(of_study), selected, None, None)
            jobs["study"] = self.file_job("diagnose", "study", task)
        for name, pack in self.packs.items():
            if job := self._diagnose(pack, of_runs):
                jobs[name] = job
        return jobs

    def _diagnose(self, pack: Pack, experiments: list[Experiment]) -> Job | None:
        """The diagnosis job of a pack; None if no experiment selects a run of the pack."""
        points = {run.id: run.point for run in pack.runs}
        run, train, selected = pack.runs[0], self.train[pack.name], {}
        for experiment in experiments:
            members = enumerate(train.task.members)
            indices = tuple(index for index, member in members if matches(experiment.where, points[member.id]))
            if indices:
                selected[experiment.name] = indices
        if not selected:
            return None
        examples, measured = self.examples_of(run), [each for each in experiments if each.name in selected]
        judge = self.judge[dataset_of(run)] if examples and any(each.needs_judge for each in measured) else None
        needs = [train, *([examples] if examples else []), *([judge] if judge else [])]
        weights, fitted = judge and judge.task.weights, judge and self._fitted(dataset_of(run))
        task = DiagnoseTask(
            pack=pack.name,
            members=train.task.members,
            groups=train.task.groups,
            train=train.task.train,
            experiments=_diagnostic_configs(measured, fitted),
            selected=selected,
            prepared=examples and examples.path,
            trained=train.path,
        )
        return self.file_job("diagnose", pack.name, task, needs, [weights.path] if weights else [])

    def _fitted(self, dataset: str) -> FittedJudge:
        """The judge of a data set, with the digest of the sources that judge with it."""
        job, sources = self.judge[dataset], [self.judge_of(self.datasets[dataset]).component]
        return FittedJudge(job.task.judge, engine_digest("scoring", sources), job.digest, job.path, job.task.weights)


def _members(pack: Pack, digests: dict[str, str], trajectories: dict[str, str]) -> tuple[PackMember, ...]:
    return tuple(
        PackMember(
            **asdict(run.member),
            id=run.id,
            digest=digests[run.id],
            method=run.method,
            block=run.block,
            group=group,
            variant=run.variant,
            trajectory=trajectories[run.id],
        )
        for group, runs in enumerate(pack.fusable_groups)
        for run in runs
    )


def _diagnostic_configs(
    experiments: Iterable[Experiment], fitted: FittedJudge | None = None
) -> dict[str, DiagnosticConfig]:
    """The diagnostic of each experiment, with the digest of the sources that can change its results, and with the
    judge `fitted` if it needs one."""
    return {
        each.name: DiagnosticConfig(
            component_config(each.diagnostic),
            engine_digest("diagnose", [each.diagnostic.component]),
            fitted if each.needs_judge else None,
        )
        for each in experiments
    }
