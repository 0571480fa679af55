"""The stages of a study: each reads files, has the engine or the analysis compute, and writes files.

A stage is a module with a function `run(job, context)`, which writes the job's first output. Those of tables, figures,
report and tracking return the files that they wrote.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

from ganbench.core import checksums

if TYPE_CHECKING:
    from ganbench.pipeline.execution.job_context import JobContext
    from ganbench.pipeline.jobs import Job

STAGES = ("prepare", "judge", "train", "evaluate", "diagnose", "collect", "track", "tables", "figures", "report")
# Folder of the stamps that stand for the digests of tables, figures, report and tracking. A stamp lists the checksums
# of the files that its stage wrote, relative to the folder of the study.
STAMPS = ".done"


def run(job: Job, context: JobContext | None = None) -> None:
    """Run one job of a stage.

    Args:
        job: The job.
        context: Its context; without one, it runs under the default settings and keeps no journal.
    """
    from ganbench.pipeline.execution.job_context import JobContext
    from ganbench.pipeline.execution.processor import one_thread

    context = context or JobContext()
    stage = importlib.import_module(f"{__name__}.{job.stage}")
    one_thread()
    logging.captureWarnings(True)
    if job.path.parent.name != STAMPS:
        stage.run(job, context)
        return
    # What the stage writes has plain names, and is what the latest stamp says: an older one must not vouch for it.
    for older in job.path.parent.glob(f"{job.stage}-*"):
        older.unlink()
    written = stage.run(job, context)
    folder = job.path.parent.parent
    checksums.write_sums(job.path, {file.relative_to(folder).as_posix(): file for file in written})
