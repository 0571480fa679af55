"""What a job knows of Slurm: its number, and when its time is over."""

from __future__ import annotations

import os
import subprocess
import time


def job_id() -> str:
    """The number of this job; empty outside Slurm."""
    return os.environ.get("SLURM_JOB_ID", "")


def end_of_job() -> float | None:
    """When the scheduler will kill this job, as a Unix time; None where there is no scheduler, or no limit."""
    if end := os.environ.get("SLURM_JOB_END_TIME"):
        return float(end)
    if not job_id():
        return None
    try:
        asked = ["squeue", "--noheader", "--jobs", job_id(), "--format", "%L"]
        left = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
        return time.time() + seconds_of(left)
    except (OSError, subprocess.SubprocessError, ValueError):  # UNLIMITED and INVALID are no numbers
        return None


def seconds_of(text: str) -> float:
    """Seconds of a time as Slurm writes it, `[days-][[hours:]minutes:]seconds`.

    Raises:
        ValueError: It is none.
    """
    days, _, clock = text.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return float(seconds + 86400 * int(days or 0))
