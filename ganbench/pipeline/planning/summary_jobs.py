"""The jobs that run once per study: `collect`, `tables`, `figures`, `report` and `track`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganbench.core import checksums
from ganbench.core.source_digests import digest
from ganbench.pipeline.jobs import CollectTask, Job, NamedRuns, without_members
from ganbench.pipeline.planning.construction import Jobs, stamp_job
from ganbench.pipeline.planning.grid import Grid, dataset_of
from ganbench.pipeline.stage_names import OF_PACKS, sources_of
from ganbench.pipeline.tasks import FiguresTask, ReportTask, ResultFiles, TablesTask, TrackTask, without_locations
from ganbench.pipeline.typed_json import encode
from ganbench.report.file_names import COMPARISON, PAPER, REPORT, figure_files, figures, paper_files, table_files
from ganbench.study.packs import Pack
from ganbench.study.schema import Study

# Parts of a study that change no number and no page. They enter no digest.
WHERE = {"machine": True, "results": True, "track": True, "evaluate": {"inception": {"folder"}}}
COLLECTED = (
    *("runs.parquet", "snapshots.parquet", "curves.parquet", "references.parquet", "nulls.parquet"),
    *("measurements.parquet", "run_outcomes.parquet", "events.parquet", "modes.parquet"),
    *("metrics.json", "quantities.json", "samples.h5", "arrays.h5", checksums.FILE_NAME),
)


def collect_job(grid: Grid, result_jobs: Mapping[str, Jobs]) -> Job:
    """The job that gathers results in a few tables.

    Args:
        grid: the runs that the results are of.
        result_jobs: the jobs of data sets and packs that make the results, by stage.
    """
    study, needs = grid.study, [job for jobs in result_jobs.values() for job in jobs.values()]
    asked = study.evaluate.model_dump(mode="json", include={"metrics"}), study.outcome.model_dump()
    sources, train = sources_of("collect"), result_jobs["train"]
    runs = {name: _named(grid.packs[name], job) for name, job in train.items()}
    named = [encode([job.task.groups, runs[name]]) for name, job in train.items()]  # with the labels of components
    value = digest([without_locations([asked, named]), [job.digest for job in needs], sources])
    task = CollectTask(
        study=study.study,
        outcome=study.outcome.model_dump(mode="json"),
        evaluate=study.evaluate.model_dump(mode="json"),
        sources=sources,
        jobs=tuple(without_members(job) for stage in OF_PACKS for job in result_jobs[stage].values()),
        runs=runs,
    )
    folder = grid.folder / "collect" / value[:12]
    outputs = tuple(folder / name for name in COLLECTED)
    return Job("collect", "collect", value, task, tuple(job.path for job in needs), outputs)


def _named(pack: Pack, train: Job) -> tuple[NamedRuns, ...]:
    """What the study calls the runs of a pack."""
    index = {member.id: index for index, member in enumerate(train.task.members)}
    alike: dict[tuple[str, str | None, str | None], list[int]] = defaultdict(list)
    for run in pack.runs:
        alike[run.method, run.block, run.variant].append(index[run.id])
    return tuple(NamedRuns(*called, tuple(members)) for called, members in alike.items())


def tables_job(grid: Grid, collect: Job) -> Job:
    """The job that writes tables for people and their programs."""
    study, folder = grid.study, grid.folder / "tables"
    claims = tuple(claim.model_dump(mode="json", exclude_none=True) for claim in study.claims)
    published = tuple(each.model_dump(mode="json", exclude_none=True) for each in study.published)
    task = TablesTask(claims, published, sources_of("tables"), collect.path.parent, folder)
    return stamp_job(grid.folder, "tables", task, collect, outputs=[folder / name for name in table_files()])


def figures_job(grid: Grid, collect: Job) -> Job:
    """The job that draws the figures, as SVG and PNG."""
    folder = grid.folder / "figures"
    diagnostics = {name: each.diagnostic.component.name for name, each in grid.experiments.items()}
    shown = figures(grid.gans, diagnostics)
    task = FiguresTask(tuple(shown), sources_of("figures"), collect.path.parent, folder)
    return stamp_job(grid.folder, "figures", task, collect, outputs=[folder / name for name in figure_files(shown)])


def report_job(
    grid: Grid, file: Path | None, result_jobs: Mapping[str, Jobs], collect: Job, figures: Job, compared: Sequence[Job]
) -> Job:
    """The job that writes the HTML report, and its tables as LaTeX and CSV.

    Args:
        grid: the runs that the report is of.
        file: the study's file.
        result_jobs: the jobs of packs, among others, by stage.
        collect: the job that collects the tables.
        figures: the job that draws the figures.
        compared: the jobs that collect the tables of the studies that a second report stands this one beside.
    """
    of_packs = [result_jobs[stage] for stage in OF_PACKS]
    task = ReportTask(
        _settings(grid.study),
        figures.task.shown,
        sources_of("report"),
        collect.path.parent,
        grid.folder,
        figures.task.folder,
        file or Path(),
        {name: ResultFiles(*(jobs[name].path if name in jobs else None for jobs in of_packs)) for name in grid.packs},
    )
    outputs = [grid.folder / REPORT, *(grid.folder / PAPER / name for name in paper_files())]
    outputs += [grid.folder / COMPARISON / REPORT] if compared else []
    return stamp_job(grid.folder, "report", task, collect, [figures, *compared], outputs)


def track_job(grid: Grid, file: Path | None, prepare: Jobs, collect: Job, report: Job) -> Job:
    """The job that writes the results and the report to MLflow."""
    study, track = grid.study, grid.study.track
    task = TrackTask(
        study.study,
        track.uri,
        sources_of("track"),
        study.tracking_uri,
        collect.path.parent,
        file or Path(),
        {str(run.point["dataset"]): prepare[dataset_of(run)].digest for run in grid.runs if run.choice("dataset")},
        grid.folder / REPORT,
        _settings(study),
        study.results,
        tuple(track.models),
        track.pictures,
    )
    return stamp_job(grid.folder, "track", task, collect, [report])


def _settings(study: Study) -> dict[str, Any]:
    """The study as it runs, without locations."""
    return study.model_dump(mode="json", exclude=WHERE)
