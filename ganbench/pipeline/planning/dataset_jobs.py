"""The jobs that run once per data set, `prepare`, `judge` and `reference`, and the archives that `prepare` reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ganbench.core.dataset_specs import describe_dataset
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import engine_digest, sources_digest
from ganbench.data import Archive
from ganbench.pipeline.execution.file_digests import FILES, data_digest
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.planning.construction import Jobs, file_job
from ganbench.pipeline.planning.grid import Grid, component_config, dataset_of
from ganbench.pipeline.tasks import JudgeTask, PrepareTask, ReferenceTask
from ganbench.study.choices import Choice
from ganbench.study.judging import needs_weights
from ganbench.study.runs import Run


def prepare_jobs(grid: Grid) -> Jobs:
    """The jobs that prepare examples, by data set."""
    jobs = {}
    for name, choice in grid.datasets.items():
        archives = archives_of(choice)
        files = data_digest(describe_dataset(choice).files, archives, grid.folder / FILES)
        task = PrepareTask(component_config(choice), files, sources_digest(choice.component.path))
        jobs[name] = file_job(grid.folder, "prepare", name, task, files=[Path(each.path) for each in archives])
    return jobs


def judge_jobs(grid: Grid, prepare: Jobs) -> Jobs:
    """The jobs that fit judges, by data set."""
    jobs = {}
    for name, choice in grid.datasets.items():
        judge, prepared = grid.judge_of(choice), prepare[name]
        weights = grid.inception if needs_weights(judge) else None
        task = JudgeTask(component_config(judge), sources_digest(judge.component.path), prepared.path, weights)
        jobs[name] = file_job(grid.folder, "judge", name, task, [prepared], [weights.path] if weights else [])
    return jobs


def reference_jobs(grid: Grid, prepare: Jobs, judge: Jobs) -> Jobs:
    """The jobs that store the metrics' references and nulls, by data set whose runs are evaluated."""
    evaluated = {dataset_of(run) for run in grid.runs if run.choice("architecture")}
    evaluate, weights, jobs = grid.study.evaluate, grid.inception, {}
    for name, choice in grid.datasets.items():
        if name not in evaluated:
            continue
        prepared, fitted = prepare[name], judge[name]
        used = [*evaluate.metrics, grid.judge_of(choice), choice]
        task = ReferenceTask(
            dataset=component_config(choice),
            judge=fitted.task.judge,
            metrics=tuple(map(component_config, evaluate.metrics)),
            samples=evaluate.samples,
            sources=engine_digest("nulls", [each.component for each in used]),
            prepared=prepared.path,
            fitted=fitted.path,
            weights=weights,
        )
        files = [weights.path] if weights else []
        jobs[name] = file_job(grid.folder, "reference", name, task, [prepared, fitted], files)
    return jobs


def prepared_for(run: Run, prepare: Jobs) -> Job | None:
    """The job that prepares a run's data set; None for a game without one."""
    return prepare[dataset_of(run)] if run.choice("dataset") else None


def archives_of(dataset: Choice) -> list[Archive]:
    """The archives that a data set is read from."""
    return [Archive(*each) for each in describe_dataset(dataset).archives]


def archives_by_path(datasets: Iterable[Choice]) -> dict[Path, Archive]:
    """The archives that data sets are read from, by path. Those with an address can be fetched.

    Raises:
        GanbenchError: two data sets read different files from one path.
    """
    found: dict[Path, tuple[Archive, Choice]] = {}
    for choice in datasets:
        for each in archives_of(choice):
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
