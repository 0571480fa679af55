"""What a result was made with."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from typing import Any

import torch

from ganbench.core.registry import PACKAGE


def now() -> str:
    """UTC time, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions(device: torch.device) -> dict[str, Any]:
    """Versions and the device's name, as recorded with every run."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})"
    return {
        "device": name,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else "",
        "commit": commit(),
    }


@cache
def commit() -> str:
    """The sources' git commit, with '+' where the working tree differs from it; empty outside a repository."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(PACKAGE), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
