"""The memory of this machine and of this process, and which examples are held in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # cgroup versions 2 and 1
RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")  # of Linux
MAX_HELD = 4 * 2**30  # bytes of examples in memory, on any machine, so that a cluster can be asked for it
SHARE_HELD = 0.25  # of this machine's memory


def machine_memory() -> int:
    """The bytes of main memory of this machine or container."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [path.read_text().strip() for path in map(Path, CGROUPS) if path.exists()]
    return min([installed, *(int(limit) for limit in limits if limit.isdigit())])


def resident_growth(work: Callable[[], object]) -> int | None:
    """The bytes by which the resident memory of this process grows at most during some work.

    Allocators keep memory that they could give back; they should be told to do so before.

    Args:
        work: the work, which is done in any case.

    Returns:
        The bytes; None where the system does not tell.
    """
    try:
        RESET.write_text("5")  # the peak is the present size again, see proc(5)
        before = process_memory("VmRSS")
    except (OSError, ValueError):
        before = None
    work()
    return None if before is None else max(0, process_memory("VmHWM") - before)


def process_memory(name: str) -> int:
    """A size of this process, in bytes.

    Args:
        name: its name in proc(5), such as `VmRSS`, the resident memory, or `VmHWM`, its peak.

    Raises:
        OSError, ValueError: the system does not tell it.
    """
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise ValueError(name)


def most_held() -> int:
    """The bytes from which examples are read from their file as they are needed. They give the same numbers there."""
    return min(MAX_HELD, int(SHARE_HELD * machine_memory()))
