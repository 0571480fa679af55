"""What a job has beside its task: settings, a journal, progress, and when to stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganbench.core.errors import GanbenchError, out_of_memory
from ganbench.core.locks import hold_lock
from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import Journal
from ganbench.pipeline.execution.progress import Report, log, progress
from ganbench.pipeline.execution.slurm import end_of_job
from ganbench.pipeline.execution.termination_signals import Stopped, StopRequest
from ganbench.pipeline.jobs import ExecutionSettings

GPU = r"CUDA|CU(BLAS|DNN|SOLVER|SPARSE|FFT)"


class JobContext:
    """What a job has beside its task.

    Args:
        settings: Where and how it runs.
        stopping: What tells it to stop.
        journal: Where it tells its progress; None for nowhere.
    """

    def __init__(
        self,
        settings: ExecutionSettings | None = None,
        stopping: StopRequest | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.settings = settings or ExecutionSettings()
        self.stopping = stopping or StopRequest()
        self._journal = journal

    @contextmanager
    def progress(self, what: str, total: float, unit: str, done: float = 0) -> Iterator[Report]:
        """Show how far work has come, on the terminal or in the log and in the journal; see `progress`."""
        with progress(what, total, unit, done) as show:

            def report(amount: float) -> None:
                rate = show(amount)
                if self._journal is not None:
                    self._journal.progress(what, unit, amount, total, rate)

            if self._journal is not None:
                self._journal.progress(what, unit, done, total, 0.0)
            yield report


@contextmanager
def job_context(
    settings: ExecutionSettings, stage: str, path: Path, asked_mb: float = 0, since: float | None = None
) -> Iterator[JobContext | None]:
    """A job's context: nobody else does it at the same time, its journal is kept, and signals end it in order.

    Args:
        settings: Where and how it runs.
        stage: Its stage.
        path: Its first output, whose name carries its digest.
        asked_mb: The memory that a scheduler was asked for, in MB; 0 where none was asked.
        since: When its process began, as a Unix time; None for now, where one process does several jobs.

    Yields:
        The context; None if another process did the job while this one waited for it.
    """
    entry = journal.path_of(Path(settings.folder), stage, path)
    waited = []

    def waiting(holder: str) -> None:
        waited.append(holder)
        log(f"this job is being done by {holder}; waiting for that")

    # What tables, figures and report write has the same names whatever made it: one at a time writes there.
    lock = entry.with_suffix(".lock") if path.suffix == ".h5" else entry.with_name(".lock")
    stopping, begun = StopRequest(end_of_job()), False
    try:
        with stopping.listening(), hold_lock(lock, f"{stage} {path.stem}", on_wait=waiting):
            begun = True
            if waited and path.exists():
                yield None
                return
            kept = Journal(entry, asked_mb, since)
            kept.begin()
            try:
                yield JobContext(settings, stopping, kept)
            except BaseException as error:
                if isinstance(error, Stopped) and path.exists():
                    kept.end()
                else:
                    ours = isinstance(error, GanbenchError)
                    kept.end(_how(error), str(error) if ours else f"{type(error).__name__}: {error}")
                raise
            kept.end()
    except Stopped:  # when all was done, by this process or the one it waited for, it comes too late to mean anything
        if not path.exists():
            raise
        if not begun:
            yield None


def _how(error: BaseException) -> str:
    """How an attempt ends that ends with this error."""
    if isinstance(error, Stopped):
        return journal.OUT_OF_TIME if error.of_time else journal.STOPPED
    if isinstance(error, GanbenchError) and not isinstance(error, MemoryError):
        return journal.FAILED
    said = out_of_memory(error)  # a GPU's own memory is none that a scheduler could be asked for
    return journal.OUT_OF_MEMORY if said and not re.search(GPU, said) else journal.FAILED
