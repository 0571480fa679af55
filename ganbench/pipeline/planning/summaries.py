"""The jobs that run once per study: `collect`, `tables`, `figures`, `report` and `track`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ganbench.core import checksums
from ganbench.core.source_digests import digest
from ganbench.pipeline.jobs import CollectTask, Job, Task, without_members
from ganbench.pipeline.planning.grid import dataset_of
from ganbench.pipeline.planning.pack_jobs import PackPlan
from ganbench.pipeline.stages import OF_DATASETS, OF_PACKS, STAMPS, sources_of
from ganbench.pipeline.tasks import (
    FiguresTask,
    ReportTask,
    ResultFiles,
    TablesTask,
    TrackTask,
    identity,
    without_locations,
)
from ganbench.report.file_names import COMPARISON, PAPER, REPORT, figure_files, figures, paper_files, table_files
from ganbench.study.schema import load
from ganbench.study.study_files import find_study

# Parts of a study that change no number and no page. They enter no digest.
WHERE = {"machine": True, "results": True, "track": True, "evaluate": {"inception": {"folder"}}}
COLLECTED = (
    *("runs.parquet", "snapshots.parquet", "curves.parquet", "references.parquet", "nulls.parquet"),
    *("measurements.parquet", "run_outcomes.parquet", "events.parquet", "modes.parquet"),
    *("metrics.json", "quantities.json", "samples.h5", "arrays.h5", checksums.FILE_NAME),
)


class SummaryPlan(PackPlan):
    """A plan with the jobs that run once per study."""

    @cached_property
    def collect(self) -> Job:
        """The job that gathers all results of the study in a few tables."""
        study, of_packs = self.study, [job for stage in OF_PACKS for job in getattr(self, stage).values()]
        needs = [job for stage in (*OF_DATASETS, *OF_PACKS) for job in getattr(self, stage).values()]
        asked = study.evaluate.model_dump(mode="json", include={"metrics"}), study.outcome.model_dump()
        sources = sources_of("collect")
        value = digest([without_locations(asked), [job.digest for job in needs], sources])
        task = CollectTask(
            study=study.study,
            outcome=study.outcome.model_dump(mode="json"),
            evaluate=study.evaluate.model_dump(mode="json"),
            sources=sources,
            jobs=tuple(map(without_members, of_packs)),
        )
        folder = self.folder / "collect" / value[:12]
        outputs = tuple(folder / name for name in COLLECTED)
        return Job("collect", "collect", value, task, tuple(job.path for job in needs), outputs)

    @cached_property
    def tables(self) -> Job:
        """The job that writes tables for people and their programs."""
        folder = self.folder / "tables"
        claims = tuple(claim.model_dump(mode="json", exclude_none=True) for claim in self.study.claims)
        published = tuple(each.model_dump(mode="json", exclude_none=True) for each in self.study.published)
        outputs = [folder / name for name in table_files()]
        task = TablesTask(claims, published, sources_of("tables"), self._tables, folder)
        return self._summary("tables", task, outputs)

    @cached_property
    def figures(self) -> Job:
        """The job that draws the figures, as SVG and PNG."""
        folder = self.folder / "figures"
        outputs = [folder / name for name in figure_files(self.shown)]
        task = FiguresTask(tuple(self.shown), sources_of("figures"), self._tables, folder)
        return self._summary("figures", task, outputs)

    @cached_property
    def shown(self) -> list[tuple[str, str | None]]:
        """The kind of every figure, with its method or experiment; None for a figure of the whole study."""
        diagnostics = {name: each.diagnostic.component.name for name, each in self.experiments.items()}
        return figures(self.gans, diagnostics)

    @cached_property
    def report(self) -> Job:
        """The job that writes the HTML report, and its tables as LaTeX and CSV."""
        of_packs = [getattr(self, stage) for stage in OF_PACKS]
        results = {
            name: ResultFiles(*(jobs[name].path if name in jobs else None for jobs in of_packs)) for name in self.packs
        }
        task = ReportTask(
            self._settings,
            tuple(self.shown),
            sources_of("report"),
            self._tables,
            self.folder,
            self.folder / "figures",
            self.file or Path(),
            results,
        )
        outputs = [self.folder / REPORT, *(self.folder / PAPER / name for name in paper_files())]
        outputs += [self.folder / COMPARISON / REPORT] if self.compared else []
        needs = [self.figures, *(plan.collect for plan in self.compared.values())]
        return self._summary("report", task, outputs, needs)

    @cached_property
    def compared(self) -> dict[Path, SummaryPlan]:
        """The plans of the studies that the report stands this one beside, by their files."""
        files = map(find_study, self.study.compare)
        return {file: SummaryPlan(load(file), file) for file in files}

    @cached_property
    def track(self) -> Job:
        """The job that writes the results and the report to MLflow."""
        data = {}
        for run in self.runs:
            if run.choice("dataset"):
                data[str(run.point["dataset"])] = self.prepare[dataset_of(run)].digest
        track = self.study.track
        task = TrackTask(
            self.study.study,
            track.uri,
            sources_of("track"),
            self.study.store,
            self._tables,
            self.file or Path(),
            data,
            self.folder / REPORT,
            self._settings,
            self.study.results,
            tuple(track.models),
            track.pictures,
        )
        return self._summary("track", task, needs=[self.report])

    @property
    def _settings(self) -> dict[str, Any]:
        """The study as it runs, without locations."""
        return self.study.model_dump(mode="json", exclude=WHERE)

    @property
    def _tables(self) -> Path:
        """The folder of the collected tables."""
        return self.collect.path.parent

    def _summary(self, stage: str, task: Task, outputs: Sequence[Path] = (), needs: Sequence[Job] = ()) -> Job:
        """Make a job that reads the collected tables, and writes files with plain names and a stamp for them.

        Args:
            stage: The stage.
            task: The task.
            outputs: The files with plain names.
            needs: Other jobs whose files the job reads.

        Returns:
            The job, whose first output is the stamp.
        """
        needed = [self.collect.digest, *(job.digest for job in needs)]
        value = digest([identity(task), needed])
        stamp = self.folder / STAMPS / f"{stage}-{value[:12]}"
        inputs = (*self.collect.outputs, *(job.path for job in needs))
        return Job(stage, stage, value, task, inputs, (stamp, *outputs))
