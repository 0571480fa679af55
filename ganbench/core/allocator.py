"""What the C library does with memory that a process frees."""

from __future__ import annotations

import ctypes

# Parameters of mallopt(3) of glibc: from how much free memory on it gives some back, how much more than it needs it
# asks for, and from which size on a block is mapped by itself and given back when it is freed (32 MiB at most).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
SETTINGS = {M_TRIM_THRESHOLD: (1 << 31) - 1, M_TOP_PAD: 64 << 20, M_MMAP_THRESHOLD: 32 << 20}  # bytes


def keep_freed_memory() -> bool:
    """Have this process keep memory that it frees, for the next training step.

    glibc gives large blocks back to the system and asks for them again a step later, page by page, each filled with
    zeros: up to half of a step whose tensors have megabytes.

    Returns:
        Whether the C library can be told.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    return all(mallopt(parameter, value) for parameter, value in SETTINGS.items())
