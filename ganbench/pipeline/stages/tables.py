"""Stage `tables`: writes the collected results as CSV and Parquet, documented column by column."""

from __future__ import annotations

from pathlib import Path

from ganbench.analysis.collected import Collected
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.jobs import Job
from ganbench.report.file_names import table_files
from ganbench.report.tables import write
from ganbench.study.claims import Claim
from ganbench.study.published import Published


def run(job: Job, context: JobContext) -> list[Path]:
    """Write the tables; returns their paths."""
    task = job.task
    claims = [Claim.model_validate(claim) for claim in task.claims]
    published = [Published.model_validate(each) for each in task.published]
    with context.progress("tables", 2, "parts") as report:
        collected = Collected.read(task.collected)
        report(1)
        write(collected, task.folder, claims, published)
        report(2)
    return [task.folder / name for name in table_files()]
