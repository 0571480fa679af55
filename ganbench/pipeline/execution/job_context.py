"""The context of a job: its settings, its journal, its progress, and its reasons to stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganbench.core.errors import GanbenchError, out_of_memory
from ganbench.core.locks import hold_lock
from ganbench.pipeline.execution import journal
from ganbench.pipeline.execution.journal import Journal
from ganbench.pipeline.execution.progress import ProgressReport, log, progress
from ganbench.pipeline.execution.slurm import end_of_job
from ganbench.pipeline.execution.termination_signals import Stopped, StopRequest
from ganbench.pipeline.jobs import DIGEST, ExecutionSettings

GPU = r"CUDA|CU(BLAS|DNN|SOLVER|SPARSE|FFT)"


class JobContext:
    """The context of a job.

    Args:
        settings: the execution settings.
        stopping: the reasons to stop.
        journal: the journal to note progress in; None for no journal.
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
    def progress(self, what: str, total: float, unit: str, done: float = 0) -> Iterator[ProgressReport]:
        """Show progress on the terminal or in the log, and note it in the journal; see `progress.progress`."""
        with progress(what, total, unit, done) as show:

            def report(amount: float) -> None:
                rate = show(amount)
                if self._journal is not None:
                    self._journal.progress(what, unit, amount, total, rate)

            if self._journal is not None:
                self._journal.progress(what, unit, done, total, 0.0)
            yield report

    def note_copied(self) -> None:
        """Note in the journal that part of the job's results is there already; see `Journal.note_copied`."""
        if self._journal is not None:
            self._journal.note_copied()


@contextmanager
def job_context(
    settings: ExecutionSettings, stage: str, path: Path, asked_mb: float = 0, since: float | None = None
) -> Iterator[JobContext | None]:
    """Provide the context of a job: lock the job, keep its journal, and end it in order on a signal.

    Args:
        settings: the execution settings.
        stage: the job's stage.
        path: the job's first output, whose name carries its digest.
        asked_mb: the memory requested from a scheduler, in MB; 0 if none was requested.
        since: the Unix time when the job's process began; None for now, if one process runs several jobs.

    Yields:
        The context; None if another process finished the job while this one waited.

    Raises:
        Stopped: the job was told to end, or its time is over.
    """
    entry = journal.path_of(Path(settings.folder), stage, path)
    waited = []

    def waiting(holder: str) -> None:
        waited.append(holder)
        log(f"this job is being done by {holder}; waiting for that")

    stopping, begun = StopRequest(end_of_job()), False
    try:
        with stopping.listening(), hold_lock(lock_of(entry, path), f"{stage} {path.stem}", on_wait=waiting):
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
    except Stopped:  # too late to matter if the job is done, by this process or by the one that it waited for
        if not path.exists():
            raise
        if not begun:
            yield None


def lock_of(entry: Path, file: Path) -> Path:
    """The path of a job's lock.

    Jobs of one pack share its checkpoints, whatever their digests, and files with plain names are shared by all jobs of
    a stage: one job at a time writes them.

    Args:
        entry: the path of the job's entry in the journal.
        file: the job's first output, whose name carries its digest.
    """
    return entry.with_name(f"{file.stem[:-DIGEST]}.lock" if file.suffix == ".h5" else ".lock")


def _how(error: BaseException) -> str:
    """The way in which an attempt ends that raises this error."""
    if isinstance(error, Stopped):
        return journal.OUT_OF_TIME if error.of_time else journal.STOPPED
    if isinstance(error, GanbenchError) and not isinstance(error, MemoryError):
        return journal.FAILED
    message = out_of_memory(error)  # of main memory only: no scheduler can be asked for more GPU memory
    return journal.OUT_OF_MEMORY if message and not re.search(GPU, message) else journal.FAILED
