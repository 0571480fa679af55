"""The end of a job's time, as Slurm tells it."""

from __future__ import annotations

import os
import subprocess
import time


def end_of_job() -> float | None:
    """The Unix time at which Slurm will kill this job; None without Slurm or without a time limit."""
    end, job = os.environ.get("SLURM_JOB_END_TIME"), os.environ.get("SLURM_JOB_ID")
    if end:
        return float(end)
    if not job:
        return None
    try:
        asked = ["squeue", "--noheader", "--jobs", job, "--format", "%L"]
        left = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
        return time.time() + seconds_of(left)
    except (OSError, subprocess.SubprocessError, ValueError):  # ValueError for "UNLIMITED" and "INVALID"
        return None


def seconds_of(text: str) -> float:
    """Convert a duration in Slurm's format, `[days-][[hours:]minutes:]seconds`, to seconds.

    Raises:
        ValueError: The text has another format.
    """
    days, _, clock = text.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return float(seconds + 86400 * int(days or 0))
