"""Stage `report`: writes the HTML report of a study, and its tables as LaTeX and CSV."""

from __future__ import annotations

import os
from pathlib import Path

from ganbench.analysis.collected import Collected
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources.stage_times import compared
from ganbench.pipeline.tasks import without_locations
from ganbench.report import paper
from ganbench.report.file_names import PAPER, paper_files
from ganbench.report.html import render
from ganbench.study.schema import parse


def run(job: Job, context: JobContext) -> list[Path]:
    """Write the report and its tables; returns their paths."""
    task = job.task
    out = task.folder / "report.html"
    with context.progress("report", 2, "parts") as report:
        collected = Collected.read(task.collected)
        report(1)
        times = compared(Plan(parse(task.study, origin="the study that report was given")), task.folder)
        study = without_locations(task.study)
        results = {
            pack: [Path(os.path.relpath(path, task.folder)).as_posix() for path in vars(files).values() if path]
            for pack, files in task.results.items()
        }
        file = "" if task.file == Path() else str(task.file)
        render(collected, study, task.figures, list(task.shown), out, times, file=file, results=results)
        paper.write(collected, study, task.folder / PAPER)
        report(2)
    return [out, *(task.folder / PAPER / name for name in paper_files())]
