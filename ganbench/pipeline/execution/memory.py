"""The memory of this machine, and which examples are held in it."""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # cgroup versions 2 and 1
MOST_HELD = 4 * 2**30  # bytes of examples in memory, on any machine, so that a cluster can be asked for it
SHARE_HELD = 0.25  # of this machine's memory


def machine_memory() -> int:
    """The bytes of main memory of this machine or container."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [path.read_text().strip() for path in map(Path, CGROUPS) if path.exists()]
    return min([installed, *(int(limit) for limit in limits if limit.isdigit())])


def most_held() -> int:
    """The bytes from which examples are read from their file as they are needed. They give the same numbers there."""
    return min(MOST_HELD, int(SHARE_HELD * machine_memory()))
