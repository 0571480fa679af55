"""What a job asks Slurm: when its time is over."""

from __future__ import annotations

import os
import subprocess
import time


def end_of_job() -> float | None:
    """When the scheduler will kill this job, as a Unix time; None where there is no scheduler, or no limit."""
    told, job = os.environ.get("SLURM_JOB_END_TIME"), os.environ.get("SLURM_JOB_ID")
    if told:
        return float(told)
    if not job:
        return None
    try:
        asked = ["squeue", "--noheader", "--jobs", job, "--format", "%L"]
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
