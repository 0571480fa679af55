"""The journal of jobs: the progress of each job, and how its attempts ended.

Every job has an entry, a small JSON file `<study's results>/.jobs/<stage>/<file's name>.json`, which is replaced as a
whole. `ganbench status` reads the entries, and so does the workflow: after an attempt that ended for lack of memory or
time, the next one requests more. The entry of a job that is done keeps when its attempts worked, which the report
compares with the estimate.
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
from typing import Any

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.pipeline.execution import slurm
from ganbench.pipeline.execution.timestamps import now
from ganbench.pipeline.jobs import stem_of
from ganbench.pipeline.typed_json import decode, encode

FOLDER = ".jobs"
MEMORY_SECONDS = 1.0  # time between two measurements of the process's memory
WRITE_SECONDS = 20.0  # time between two writes, unless memory grew: many jobs write to one file system
GROWTH = 1.1  # factor of the memory's growth after which the entry is written at once
SILENT_SECONDS = 120.0  # a running job whose entry is older than this is taken to be dead

# How an attempt ends before its job is done.
STOPPED = "stopped"  # by a signal
OUT_OF_TIME = "out of time"
OUT_OF_MEMORY = "out of memory"
FAILED = "failed"  # by an error
KILLED = "killed"  # without a last entry: most often for memory, or with its node


@dataclass(frozen=True)
class End:
    """How an attempt ended."""

    how: str
    cause: str
    at: str
    memory_mb: float  # peak memory of the process
    asked_mb: float = 0.0  # memory requested from the scheduler; 0 if unknown


@dataclass(frozen=True)
class Entry:
    """The journal's entry of a job."""

    running: bool
    host: str
    pid: int
    cluster_job: str  # the job's number at the cluster's scheduler; empty if there is none
    since: str  # when the attempt began
    at: str  # when the entry was written
    beat: float  # `at` as a Unix time
    what: str = ""  # name of the work under way
    unit: str = ""  # unit of the next three fields
    done: float = 0.0
    total: float = 0.0
    rate: float = 0.0  # per second
    memory_mb: float = 0.0  # peak memory of the process
    asked_mb: float = 0.0  # memory requested from the scheduler; 0 if unknown
    ends: tuple[End, ...] = field(default=())  # how earlier attempts ended; empty once the job is done
    worked: tuple[tuple[float, float], ...] = ()  # Unix times when each attempt began and ended
    copied: bool = False  # whether part of the results was there before the first attempt, so that the job took less

    @property
    def seconds(self) -> float:
        """The time that all attempts have worked, in seconds."""
        return sum(end - begin for begin, end in self.worked)

    @property
    def silent(self) -> bool:
        """Whether the job is running by its entry, but the entry has not been written for long."""
        return self.running and time.time() - self.beat > SILENT_SECONDS

    @property
    def seconds_left(self) -> float | None:
        """The time until the work under way is done, in seconds; None if its rate is not known."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None

    @property
    def past(self) -> tuple[End, ...]:
        """How all past attempts ended, if a running job is taken to have been killed."""
        return (*self.ends, End(KILLED, "", self.at, self.memory_mb, self.asked_mb)) if self.running else self.ends


def path_of(folder: Path, stage: str, file: Path) -> Path:
    """The path of a job's entry.

    Args:
        folder: the folder of the study's results.
        stage: the job's stage.
        file: the job's first output, whose name carries its digest.
    """
    return folder / FOLDER / stage / f"{stem_of(file)}.json"


def read(path: Path) -> Entry | None:
    """Read an entry; None if there is none, or if another version wrote it."""
    try:
        return decode(Entry, json.loads(path.read_text()))
    except (OSError, ValueError):
        return None


def _unfinished(before: Entry | None) -> tuple[tuple[float, float], ...]:
    """When earlier attempts worked; empty if the job was done before and is repeated."""
    return before.worked if before is not None and (before.running or before.ends) else ()


class Journal:
    """Writes a job's entry from a thread while the job runs.

    Args:
        path: the path of the entry.
        asked_mb: the memory requested from a scheduler, in MB; 0 if none was requested.
        since: the Unix time when the job's process began; None for now.
    """

    def __init__(self, path: Path, asked_mb: float, since: float | None) -> None:
        self._path = path
        before = read(path)
        self._earlier, started = _unfinished(before), now()
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
            worked=(*self._earlier, (since or time.time(), time.time())),
            copied=bool(self._earlier) and before.copied,
        )
        self._changing = threading.Lock()  # held while the entry is replaced, by the job's thread or the journal's
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"journal {path}", daemon=True)

    def begin(self) -> None:
        """Write the first entry and start the thread."""
        self._write()
        self._thread.start()

    def end(self, how: str | None = None, cause: str = "") -> None:
        """Stop the thread and write how the attempt ended.

        Args:
            how: the way in which it ended, such as `FAILED`; None if the job is done.
            cause: the cause, in words.
        """
        self._over.set()
        self._thread.join()
        last = () if how is None else (End(how, cause, now(), memory_mb(), self._entry.asked_mb),)
        ends = (*self._entry.ends, *last) if last else ()
        self._change(running=False, ends=ends)
        self._write()

    def progress(self, what: str, unit: str, done: float, total: float, rate: float) -> None:
        """Note the progress of the work under way, which the next entry holds."""
        self._change(what=what, unit=unit, done=done, total=total, rate=rate)

    def note_copied(self) -> None:
        """Note that part of the results is there already: at the first attempt, other jobs have made it."""
        if not self._earlier:
            self._change(copied=True)
            self._write()

    def _keep(self) -> None:
        written = time.monotonic()
        while not self._over.wait(MEMORY_SECONDS):
            grown = memory_mb() > GROWTH * self._entry.memory_mb
            if grown or time.monotonic() - written >= WRITE_SECONDS:
                self._write()
                written = time.monotonic()

    def _change(self, **fields: Any) -> None:
        with self._changing:
            self._entry = replace(self._entry, **fields)

    def _write(self) -> None:
        beat = time.time()
        worked = (*self._entry.worked[:-1], (self._entry.worked[-1][0], beat))
        self._change(at=now(), beat=beat, memory_mb=memory_mb(), worked=worked)
        # A job whose entry cannot be written, as on a full disk, goes on.
        with suppress(OSError), atomic_write(self._path) as temporary:
            temporary.write_text(strict_json.dumps(encode(self._entry)))


def ended(entries: Sequence[End], *how: str) -> int:
    """The number of attempts that ended in one of these ways."""
    return sum(end.how in how for end in entries)


def memory_mb() -> float:
    """The peak memory of this process, in MB (2^20 bytes, as schedulers count)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
