"""The journal of jobs: what each says of itself while it runs, and how its attempts ended.

One small JSON file per job that is not done, `<study's results>/.jobs/<stage>/<file's name>.json`, replaced as a whole.
`ganbench status` reads them, and the workflow: an attempt that ended for lack of memory or time is followed by one that
asks for more. When the job is done, the entry keeps when its attempts worked, for the report to compare with the
estimate.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.pipeline.execution import slurm
from ganbench.pipeline.execution.timestamps import now
from ganbench.pipeline.jobs import stem_of
from ganbench.pipeline.typed_json import decode, encode

FOLDER = ".jobs"
MEMORY_SECONDS = 1.0  # between two measurements of the memory that is used
WRITE_SECONDS = 20.0  # between two entries, unless memory grew: many jobs write to one file system
GROWTH = 1.1
SILENT_SECONDS = 120.0  # after so long without an entry, a job that says it runs is taken to be dead

# How an attempt ends before its job is done.
STOPPED = "stopped"  # asked to, by a signal
OUT_OF_TIME = "out of time"
OUT_OF_MEMORY = "out of memory"
FAILED = "failed"  # by an error of its own
KILLED = "killed"  # without a word: most often for memory, or with its node


@dataclass(frozen=True)
class End:
    """How an attempt ended."""

    how: str
    cause: str
    at: str
    memory_mb: float  # the most it used
    asked_mb: float = 0.0  # and what it had asked its scheduler for; 0 where that is not known


@dataclass(frozen=True)
class Entry:
    """What is known of a job."""

    running: bool
    host: str
    pid: int
    cluster_job: str  # its number at the cluster's scheduler, if there is one
    since: str
    at: str  # when this was written
    beat: float  # the same, as a Unix time
    what: str = ""  # of the work under way; with the amounts done and to do, in `unit`s, and its rate per second
    unit: str = ""
    done: float = 0.0
    total: float = 0.0
    rate: float = 0.0
    memory_mb: float = 0.0
    asked_mb: float = 0.0
    ends: tuple[End, ...] = field(default=())  # of the attempts that did not finish the job; none where it is done
    worked: tuple[tuple[float, float], ...] = ()  # when each attempt began and ended, as Unix times

    @property
    def seconds(self) -> float:
        """How long all attempts have worked."""
        return sum(end - begin for begin, end in self.worked)

    @property
    def silent(self) -> bool:
        """Whether it says it runs, and has not said so for long."""
        return self.running and time.time() - self.beat > SILENT_SECONDS

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate > 0 else None

    @property
    def past(self) -> tuple[End, ...]:
        """All ended attempts, those among them that ended without a word."""
        return (*self.ends, End(KILLED, "", self.at, self.memory_mb, self.asked_mb)) if self.running else self.ends


def path_of(folder: Path, stage: str, file: Path) -> Path:
    """Where a job's entry lies.

    Args:
        folder: The folder of the study's results.
        stage: The job's stage.
        file: The job's first output, whose name carries its digest.
    """
    return folder / FOLDER / stage / f"{stem_of(file)}.json"


def read(path: Path) -> Entry | None:
    """The entry at `path`; None where there is none, or one that another version wrote."""
    try:
        return decode(Entry, json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _unfinished(before: Entry | None) -> tuple[tuple[float, float], ...]:
    """When earlier attempts worked that did not end well; what was done and is done anew does not count."""
    return before.worked if before is not None and (before.running or before.ends) else ()


class Journal:
    """Keeps a job's entry for as long as a block lasts, beside its work, in a thread."""

    def __init__(self, path: Path, asked_mb: float = 0, since: float | None = None) -> None:
        self._path = path
        before = read(path)
        started = now()
        self._entry = Entry(
            running=True,
            host=socket.gethostname(),
            pid=os.getpid(),
            cluster_job=slurm.job_id(),
            since=started,
            at=started,
            beat=time.time(),
            asked_mb=asked_mb,
            ends=() if before is None else before.past,
            worked=(*_unfinished(before), (since or time.time(), time.time())),
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"journal {path}", daemon=True)

    def begin(self) -> None:
        self._write()
        self._thread.start()

    def end(self, how: str | None = None, cause: str = "") -> None:
        """Write how the attempt ended; None is well."""
        self._over.set()
        self._thread.join()
        last = () if how is None else (End(how, cause, now(), memory_mb(), self._entry.asked_mb),)
        ends = (*self._entry.ends, *last) if last else ()
        self._entry = replace(self._entry, running=False, ends=ends)
        self._write()

    def progress(self, what: str, unit: str, done: float, total: float, rate: float) -> None:
        self._entry = replace(self._entry, what=what, unit=unit, done=done, total=total, rate=rate)

    def _keep(self) -> None:
        written = time.monotonic()
        while not self._over.wait(MEMORY_SECONDS):
            grown = memory_mb() > GROWTH * self._entry.memory_mb
            if grown or time.monotonic() - written >= WRITE_SECONDS:
                self._write()
                written = time.monotonic()

    def _write(self) -> None:
        beat = time.time()
        worked = (*self._entry.worked[:-1], (self._entry.worked[-1][0], beat))
        self._entry = replace(self._entry, at=now(), beat=beat, memory_mb=memory_mb(), worked=worked)
        # A full disk stops the work where it writes results, not here.
        with suppress(OSError), atomic_write(self._path) as temporary:
            temporary.write_text(strict_json.dumps(encode(self._entry)))


def ended(entries: Sequence[End], *how: str) -> int:
    """How many attempts ended in these ways."""
    return sum(end.how in how for end in entries)


def memory_mb() -> float:
    """The most memory this process has used, in MB (2^20 bytes, as schedulers count)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
