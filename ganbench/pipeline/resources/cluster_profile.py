"""Snakemake's profiles as `ganbench check` reads them: where a study's jobs would run, and on what terms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ganbench.core.errors import GanbenchError

PROFILES = Path("workflow/profiles")
NAMES = ("config.yaml", "profile.yaml")
LOCAL = "local"


@dataclass(frozen=True)
class Profile:
    """What a profile says of where and how jobs run."""

    executor: str
    parallel_jobs: str  # jobs at the same time, as the profile puts it
    retries: int
    config: dict[str, Any]  # laid over the study

    @property
    def workers(self) -> int | None:
        """Jobs at the same time as a number; None for as many as this machine has CPUs."""
        return int(self.parallel_jobs) if self.parallel_jobs.isdigit() else None


def read(path: Path) -> Profile:
    """Read a profile: its folder, or the file in it.

    Raises:
        GanbenchError: There is no profile, or it is not valid.
    """
    found = next((file for file in (path, *(path / name for name in NAMES)) if file.is_file()), None)
    if found is None:
        valid = ", ".join(sorted(str(folder) for folder in PROFILES.glob("*"))) or "none here"
        raise GanbenchError(f"there is no profile {path}; valid: {valid}, or a folder of your own with a config.yaml.")
    try:
        values = yaml.safe_load(found.read_text()) or {}
        entries = values.get("config", [])
        pairs = (entry.partition("=")[::2] for entry in ([entries] if isinstance(entries, str) else entries))
        return Profile(
            executor=values.get("executor", LOCAL),
            parallel_jobs=str(values.get("jobs", values.get("cores", 1))),
            retries=int(values.get("retries", 0)),
            config={key: yaml.safe_load(value) for key, value in pairs},
        )
    except (yaml.YAMLError, AttributeError, ValueError, TypeError) as error:
        raise GanbenchError(f"{found} is not a Snakemake profile: {error}.") from None
