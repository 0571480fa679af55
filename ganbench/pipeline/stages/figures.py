"""Stage `figures`: draws the collected results, as SVG and PNG."""

from __future__ import annotations

from pathlib import Path

from ganbench.analysis.collected import Collected
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import Job
from ganbench.report.figures import write
from ganbench.report.file_names import figure_files


def run(job: Job, context: JobContext) -> list[Path]:
    """Draw the figures; returns their paths."""
    task = job.task
    shown = list(task.shown)
    with context.progress("figures", len(shown), "figures") as report:
        write(Collected.read(task.collected), task.folder, shown, report)
    return [task.folder / name for name in figure_files(shown)]
