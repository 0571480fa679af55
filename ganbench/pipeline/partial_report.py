"""Partial reports: tables, figures and report of the packs that are done, while others still run or have failed.

A partial report has its own folder. It changes no file of the whole study and takes no lock of the workflow, since it
only reads result files, which appear complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganbench.core.locks import hold_lock
from ganbench.pipeline.execution.processor import one_thread
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.present_results import CONTEXT, Present
from ganbench.pipeline.stages import figures, report, tables
from ganbench.report.file_names import REPORT

FOLDER = "partial"


def write(plan: Plan) -> Path:
    """Write tables, figures and the report of the present results to the folder `partial` of the study's results.

    Returns:
        The path of the report.

    Raises:
        GanbenchError: no pack is done yet, or another process is writing the partial report.
    """
    one_thread()
    target = plan.folder / FOLDER
    present = Present.find(plan, _beside(target))
    with hold_lock(plan.folder / f".{FOLDER}.lock", f"the partial report {target}"), _replacing(target):
        present.gather()
        for name, stage in (("tables", tables), ("figures", figures), ("report", report)):
            stage.run(present.part.jobs(name)[name], CONTEXT)
        shutil.rmtree(present.part.folder / "collect")  # read by these three stages only
    return target / REPORT


def _beside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.new")


@contextmanager
def _replacing(folder: Path) -> Iterator[None]:
    """Replace `folder` by the folder `_beside` it, which the block fills, if the block ends without an error."""
    new, old = _beside(folder), folder.with_name(f".{folder.name}.old")

    def tidy() -> None:
        if old.exists() and not folder.exists():  # the new one did not take its place
            old.rename(folder)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)

    tidy()  # after a process that was killed
    try:
        yield
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        tidy()
