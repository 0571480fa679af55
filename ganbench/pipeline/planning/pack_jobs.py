"""The jobs that run once per pack: `train`, `evaluate` and `diagnose`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace

from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import digest, engine_digest
from ganbench.pipeline.early_stopping import stop_config
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.planning.construction import Jobs, file_job
from ganbench.pipeline.planning.dataset_jobs import prepared_for
from ganbench.pipeline.planning.grid import Grid, component_config, components_of, dataset_of
from ganbench.pipeline.planning.run_digests import RunDigests, measurement
from ganbench.pipeline.tasks import (
    DiagnoseTask,
    DiagnosticConfig,
    EvaluateTask,
    FittedJudge,
    FusableGroup,
    PackMember,
    TrainTask,
    identity,
)
from ganbench.study.experiments import Experiment
from ganbench.study.packs import Pack
from ganbench.study.runs import Run
from ganbench.study.selectors import matches


def train_jobs(grid: Grid, digests: RunDigests, prepare: Jobs) -> Jobs:
    """The training jobs, by pack."""
    study, jobs = grid.study, {}
    for name, pack in grid.packs.items():
        prepared, grouped = prepared_for(pack.runs[0], prepare), _grouped(pack, digests)
        task = TrainTask(
            pack=name,
            members=_members((runs for _, runs in grouped), digests),
            groups=tuple(group for group, _ in grouped),
            train=pack.runs[0].train.model_dump(mode="json"),
            fuse=study.pack.fuse,
            execution=study.pack.execution,
            prepared=prepared and prepared.path,
            stop=stop_config(pack.runs[0], study.outcome),
        )
        jobs[name] = file_job(grid.folder, "train", name, task, [prepared] if prepared else [])
    return jobs


def evaluate_jobs(grid: Grid, digests: RunDigests, judge: Jobs, reference: Jobs, train: Jobs) -> Jobs:
    """The evaluation jobs, by pack that trains networks on data."""
    weights, jobs = grid.inception, {}
    for name, pack in grid.packs.items():
        if not pack.runs[0].choice("architecture"):
            continue
        dataset, trained = dataset_of(pack.runs[0]), train[name]
        fitted, stored = judge[dataset], reference[dataset]
        task = EvaluateTask(
            pack=name,
            members=tuple(replace(each, digest=digests.evaluate[each.id]) for each in trained.task.members),
            groups=trained.task.groups,
            train_digests=tuple(member.digest for member in trained.task.members),
            batch_size=trained.task.train["batch_size"] // trained.task.train["accumulation_steps"],
            **measurement(grid),
            judge=fitted.task.judge,
            trained=trained.path,
            fitted=fitted.path,
            reference=stored.path,
            weights=weights,
            judge_sources=fitted.task.sources,
        )
        files = [weights.path] if weights else []
        jobs[name] = file_job(grid.folder, "evaluate", name, task, [trained, fitted, stored], files)
    return jobs


def diagnose_jobs(grid: Grid, prepare: Jobs, judge: Jobs, train: Jobs) -> Jobs:
    """The diagnosis jobs, by pack; the job `study` holds the experiments that measure no run."""
    experiments, jobs = grid.study.diagnose, {}
    of_study = [each for each in experiments if each.of_study]
    of_runs = [each for each in experiments if not each.of_study]
    if of_study:
        selected = {each.name: () for each in of_study}
        task = DiagnoseTask("study", (), (), {}, _diagnostic_configs(of_study), selected, None, None)
        jobs["study"] = file_job(grid.folder, "diagnose", "study", task)
    for name, pack in grid.packs.items():
        selected = _selected(pack, of_runs, train[name])
        if not selected:
            continue
        trained, prepared = train[name], prepared_for(pack.runs[0], prepare)
        measured = [each for each in of_runs if each.name in selected]
        judged = prepared and any(each.needs_judge for each in measured)
        fitted = judge[dataset_of(pack.runs[0])] if judged else None
        weights = fitted and fitted.task.weights
        task = DiagnoseTask(
            pack=name,
            members=trained.task.members,
            groups=trained.task.groups,
            train=trained.task.train,
            experiments=_diagnostic_configs(measured, fitted and _fitted_judge(grid, fitted)),
            selected=selected,
            prepared=prepared and prepared.path,
            trained=trained.path,
        )
        needs = [job for job in (trained, prepared, fitted) if job]
        jobs[name] = file_job(grid.folder, "diagnose", name, task, needs, [weights.path] if weights else [])
    return jobs


def _grouped(pack: Pack, digests: RunDigests) -> list[tuple[FusableGroup, list[Run]]]:
    """The groups of a pack and their runs, in an order of their own: the study's would rename the files of a pack where
    only the order of its values changes."""
    grouped = [
        (
            FusableGroup(components_of(runs[0]), digests.sources[runs[0].choices]),
            sorted(runs, key=lambda run: (run.n_train or 0, run.member.learning_rates, run.seed)),
        )
        for runs in pack.fusable_groups
    ]
    return sorted(grouped, key=lambda each: digest(identity(each[0])))


def _members(groups: Iterable[Iterable[Run]], digests: RunDigests) -> tuple[PackMember, ...]:
    """The members of a pack.

    Args:
        groups: the pack's runs, group by group.
        digests: the digests of the runs.

    Raises:
        GanbenchError: two runs are the same training, of which the pack's files hold one.
    """
    members: dict[str, PackMember] = {}
    for group, runs in enumerate(groups):
        for run in runs:
            member = PackMember(
                **asdict(run.member),
                id=run.id,
                digest=digests.train[run.id],
                method=run.method,
                block=run.block,
                group=group,
                variant=run.variant,
                trajectory=digests.trajectories[run.id],
            )
            twin = members.setdefault(member.digest, member)
            if twin is not member:
                raise GanbenchError(
                    f"grid: the runs {twin.id!r} and {run.id!r} are the same training: their components are files in "
                    "different folders that have the same name and say the same. Leave one of them out."
                )
    return tuple(members.values())


def _selected(pack: Pack, experiments: Iterable[Experiment], train: Job) -> dict[str, tuple[int, ...]]:
    """The indices of the members that each experiment measures, by experiment that measures any."""
    points, selected = {run.id: run.point for run in pack.runs}, {}
    for experiment in experiments:
        members = enumerate(train.task.members)
        indices = tuple(index for index, member in members if matches(experiment.where, points[member.id]))
        if indices:
            selected[experiment.name] = indices
    return selected


def _fitted_judge(grid: Grid, job: Job) -> FittedJudge:
    """The judge of a data set, with the digest of the sources that judge with it."""
    sources = engine_digest("scoring", [grid.judge_of(grid.datasets[job.name]).component])
    return FittedJudge(job.task.judge, sources, job.digest, job.path, job.task.weights)


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
