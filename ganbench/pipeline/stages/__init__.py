"""The stages of a study: each reads files, calls the engine or the analysis, and writes files.

A stage is a module with a function `run(job, context)`, which writes the job's first output. In `tables`, `figures`,
`report` and `track`, the function returns the files that it wrote, and the caller writes the first output, a stamp.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

from ganbench.core import checksums
from ganbench.core.source_digests import refuse_edited
from ganbench.pipeline.stage_names import STAMPS, SUMMARIES, sources_of

if TYPE_CHECKING:
    from ganbench.pipeline.execution.job_context import JobContext
    from ganbench.pipeline.jobs import Job


def run(job: Job, context: JobContext | None = None) -> None:
    """Run one job of a stage.

    Args:
        job: the job.
        context: the job's context; by default, one with the default settings and without a journal.

    Raises:
        GanbenchError: the stage failed, or its sources were edited after the job was planned.
    """
    from ganbench.pipeline.execution.job_context import JobContext
    from ganbench.pipeline.execution.processor import one_thread

    if job.stage in SUMMARIES:  # the others verify their components too
        refuse_edited(job.task.sources, sources_of(job.stage))
    context = context or JobContext()
    stage = importlib.import_module(f"{__name__}.{job.stage}")
    one_thread()
    logging.captureWarnings(True)
    if job.path.parent.name != STAMPS:
        stage.run(job, context)
        return
    # The stage overwrites files with plain names, for which an older stamp is no longer true.
    for older in job.path.parent.glob(f"{job.stage}-*"):
        older.unlink()
    written = stage.run(job, context)
    folder = job.path.parent.parent
    checksums.write_sums(job.path, {file.relative_to(folder).as_posix(): file for file in written})
