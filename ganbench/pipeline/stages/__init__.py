"""The stages of a study: each reads files, calls the engine or the analysis, and writes files.

A stage is a module with a function `run(job, context)`, which writes the job's first output. In `tables`, `figures`,
`report` and `track`, the function returns the files that it wrote, and the caller writes the first output, a stamp.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

from ganbench.core import checksums
from ganbench.core.registry import PACKAGE
from ganbench.core.source_digests import sources_digest
from ganbench.pipeline.execution.edits import refuse_edited

if TYPE_CHECKING:
    from ganbench.pipeline.execution.job_context import JobContext
    from ganbench.pipeline.jobs import Job

OF_DATASETS = ("prepare", "judge", "reference")  # the stages that run once per data set, before the others
OF_PACKS = ("train", "evaluate", "diagnose")  # once per pack; an attempt goes on where the one before it ended
SUMMARIES = ("collect", "tables", "figures", "report", "track")  # once per study
STAGES = (*OF_DATASETS, *OF_PACKS, *SUMMARIES)
# Folder of the stamps, whose names carry the digests of tables, figures, report and tracking. A stamp lists the
# checksums of the files that its stage wrote, by their paths relative to the study's folder.
STAMPS = ".done"


def sources_of(stage: str) -> str:
    """The digest of the sources that can change what a stage writes that runs once per study."""
    # Detectors and figures are found by the names of their files, so they are in no module's imports.
    folder, *suffixes = {
        "collect": ("analysis/outcomes", ".py"),
        "figures": ("report/figures", ".py"),
        "report": ("report", ".j2", ".css", ".js"),
    }.get(stage, ("",))
    others = [path for path in sorted((PACKAGE / folder).iterdir()) if path.suffix in suffixes]
    return sources_digest(PACKAGE / "pipeline" / "stages" / f"{stage}.py", *others)


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
