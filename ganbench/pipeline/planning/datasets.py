"""The jobs that run once per data set: `prepare`, `judge` and `reference`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ganbench.core.dataset_specs import describe_dataset
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import engine_digest, sources_digest
from ganbench.data import Archive
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.planning.file_digests import FILES, data_digest
from ganbench.pipeline.planning.grid import GridPlan, component_config, dataset_of
from ganbench.pipeline.tasks import ComponentConfig, InceptionWeights, JudgeTask, PrepareTask, ReferenceTask
from ganbench.study.choices import Choice
from ganbench.study.grid import Run
from ganbench.study.judging import judge_of, needs_weights

WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"  # as pytorch-fid's releases name it


class DatasetPlan(GridPlan):
    """A plan with the jobs that run once per data set."""

    @cached_property
    def weights(self) -> Path | None:
        """The path of the Inception weights, laid out as torch.hub expects; None for a study whose metrics and judges
        need none."""
        used = [*self.study.evaluate.metrics, *map(self.judge_of, self.datasets.values())]
        folder = self.study.evaluate.inception.folder
        return folder / "hub" / "checkpoints" / WEIGHTS if any(map(needs_weights, used)) else None

    @cached_property
    def prepare(self) -> dict[str, Job]:
        """The jobs that prepare examples, by data set."""
        return {name: self._prepare(name, choice) for name, choice in self.datasets.items()}

    def _prepare(self, name: str, choice: Choice) -> Job:
        archives = self._archives_of(choice)
        files = data_digest(describe_dataset(choice).files, archives, self.folder / FILES)
        task = PrepareTask(component_config(choice), files, sources_digest(choice.component.path))
        return self.file_job("prepare", name, task, files=[Path(each.path) for each in archives])

    @cached_property
    def archives(self) -> dict[Path, Archive]:
        """The archives that data sets are read from, by path.

        Raises:
            GanbenchError: Two data sets read different files from one path.
        """
        found: dict[Path, tuple[Archive, Choice]] = {}
        for choice in self.datasets.values():
            for each in self._archives_of(choice):
                other, owner = found.setdefault(Path(each.path), (each, choice))
                if other.checksum != each.checksum:
                    raise GanbenchError(
                        f"data: {each.path} cannot have both the {other.kind} {other.checksum}, for {owner.signature}, "
                        f"and the {each.kind} {each.checksum}, for {choice.signature}. Give each of these data sets a "
                        "folder of its own."
                    )
                if not other.url:  # another data set may know an address
                    found[Path(each.path)] = each, owner
        return {path: archive for path, (archive, _) in found.items()}

    @property
    def fetched_archives(self) -> dict[Path, Archive]:
        """The archives that a workflow can fetch, by path. Others must be put there by hand."""
        return {path: each for path, each in self.archives.items() if each.url}

    @property
    def needed_archives(self) -> list[Archive]:
        """The archives of data sets that are not prepared yet."""
        waiting = [each for name, each in self.datasets.items() if not self.prepare[name].done]
        paths = dict.fromkeys(Path(each.path) for choice in waiting for each in self._archives_of(choice))
        return [self.archives[path] for path in paths]

    @property
    def missing_archives(self) -> list[Archive]:
        """The archives that are not there, of data sets that are not prepared yet."""
        return [each for each in self.needed_archives if not Path(each.path).exists()]

    def _archives_of(self, choice: Choice) -> list[Archive]:
        return [Archive(*each) for each in describe_dataset(choice).archives]

    @cached_property
    def judge(self) -> dict[str, Job]:
        """The jobs that fit judges, by data set."""
        return {name: self._judge(name, choice) for name, choice in self.datasets.items()}

    def _judge(self, name: str, choice: Choice) -> Job:
        judge, prepared = self.judge_of(choice), self.prepare[name]
        weights = self.inception if needs_weights(judge) else None
        task = JudgeTask(component_config(judge), sources_digest(judge.component.path), prepared.path, weights)
        return self.file_job("judge", name, task, [prepared], [weights.path] if weights else [])

    @cached_property
    def reference(self) -> dict[str, Job]:
        """The jobs that store the metrics' references and nulls, by data set whose runs are evaluated."""
        evaluated = {dataset_of(run) for run in self.runs if run.choice("architecture")}
        return {name: self._reference(name, choice) for name, choice in self.datasets.items() if name in evaluated}

    def _reference(self, name: str, choice: Choice) -> Job:
        judge, prepared, evaluate = self.judge[name], self.prepare[name], self.study.evaluate
        used = [*evaluate.metrics, self.judge_of(choice), choice]
        task = ReferenceTask(
            dataset=component_config(choice),
            judge=judge.task.judge,
            metrics=self.metric_configs,
            samples=evaluate.samples,
            sources=engine_digest("nulls", [each.component for each in used]),
            prepared=prepared.path,
            fitted=judge.path,
            weights=self.inception,
        )
        return self.file_job("reference", name, task, [prepared, judge], [self.weights] if self.weights else [])

    @cached_property
    def metric_configs(self) -> tuple[ComponentConfig, ...]:
        """The study's metrics."""
        return tuple(component_config(metric) for metric in self.study.evaluate.metrics)

    @cached_property
    def inception(self) -> InceptionWeights | None:
        """The Inception weights; None for a study that needs none."""
        return self.weights and InceptionWeights(self.weights, self.study.evaluate.inception.sha256)

    def judge_of(self, dataset: Choice) -> Choice:
        """The judge of a data set."""
        return judge_of(self.study.evaluate.judge, dataset)

    def examples_of(self, run: Run) -> Job | None:
        """The job that prepares a run's data set; None for a game without one."""
        return self.prepare[dataset_of(run)] if run.choice("dataset") else None
