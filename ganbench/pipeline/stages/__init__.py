"""The stages of a study: each reads files, has the engine or the analysis compute, and writes files."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.core import checksums

if TYPE_CHECKING:
    from ganbench.pipeline.execution.job_context import Work

STAGES = ("prepare", "judge", "train", "evaluate", "diagnose", "collect", "track", "tables", "figures", "report")
# Folder of the stamps that stand for the digests of tables, figures, report and tracking. A stamp lists the checksums
# of the files that its stage wrote, relative to the folder of the study.
STAMPS = ".done"


def run(stage: str, slice: dict[str, Any], path: Path, work: Work | None = None) -> None:
    """Run one job of a stage.

    Args:
        stage: one of STAGES.
        slice: the job's slice of the configuration, see `pipeline/plan.py`.
        path: the file whose name carries the job's digest; the slice tells of any others.
        work: the job's surroundings; without any, nobody is told how far it is.
    """
    from ganbench.pipeline.execution.job_context import Work
    from ganbench.pipeline.execution.processor import one_thread

    work = work or Work()
    function: Callable[[dict[str, Any], Path, Work], Any] = importlib.import_module(f"{__name__}.{stage}").run
    one_thread()
    logging.captureWarnings(True)
    if path.parent.name != STAMPS:
        function(slice, path, work)
        return
    # What the stage writes has plain names, and is what the latest stamp says: an older one must not vouch for it.
    for older in path.parent.glob(f"{stage}-*"):
        older.unlink()
    written = function(slice, path, work)
    checksums.write_sums(path, {file.relative_to(path.parent.parent).as_posix(): file for file in written})
