"""The number of a job and the end of its time, as Slurm tells them."""

from __future__ import annotations

import os
import subprocess
import time


def job_id() -> str:
    """The number of this job; empty outside Slurm."""
    return os.environ.get("SLURM_JOB_ID", "")


def end_of_job() -> float | None:
    """The Unix time at which Slurm will kill this job; None without Slurm or without a time limit."""
    if end := os.environ.get("SLURM_JOB_END_TIME"):
        return float(end)
    if not job_id():
        return None
    try:
        asked = ["squeue", "--noheader", "--jobs", job_id(), "--format", "%L"]
        left = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
        return time.time() + seconds_of(left)
    except (OSError, subprocess.SubprocessError, ValueError):  # ValueError for "UNLIMITED" and "INVALID"
        return None


def seconds_of(text: str) -> float:
    """Convert a duration in Slurm's format, `[days-][[hours:]minutes:]seconds`, to seconds.

    Raises:
        ValueError: the text has another format.
    """
    days, _, clock = text.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return float(seconds + 86400 * int(days or 0))
