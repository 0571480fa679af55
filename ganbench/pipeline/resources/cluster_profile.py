"""Snakemake profiles, as far as `ganbench check` reads them: where and how a study's jobs would run."""

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
    """The settings of a profile about where and how jobs run."""

    executor: str
    parallel_jobs: str  # number of jobs that run at the same time, as the profile writes it
    retries: int
    config: dict[str, Any]  # values that replace those of the study

    @property
    def workers(self) -> int | None:
        """The number of jobs that run at the same time; None for one per CPU of this machine."""
        return int(self.parallel_jobs) if self.parallel_jobs.isdigit() else None


def read(path: Path) -> Profile:
    """Read a profile.

    Args:
        path: the folder of the profile, or the file in it.

    Returns:
        The profile.

    Raises:
        GanbenchError: there is no profile at this path, or it is not valid.
    """
    found = next((file for file in (path, *(path / name for name in NAMES)) if file.is_file()), None)
    if found is None:
        valid = ", ".join(sorted(str(folder) for folder in PROFILES.glob("*"))) or "none here"
        raise GanbenchError(f"there is no profile {path}; valid: {valid}, or a folder of your own with a config.yaml.")
    try:
        values = yaml.safe_load(found.read_text()) or {}
        entries = values.get("config", {})
        if not isinstance(entries, dict):  # `key=value`, as on the command line
            pairs = (entry.partition("=")[::2] for entry in ([entries] if isinstance(entries, str) else entries))
            entries = {key: yaml.safe_load(value) for key, value in pairs}
        return Profile(
            executor=values.get("executor", LOCAL),
            parallel_jobs=str(values.get("jobs", values.get("cores", 1))),
            retries=int(values.get("retries", 0)),
            config=entries,
        )
    except (yaml.YAMLError, AttributeError, ValueError, TypeError) as error:
        raise GanbenchError(f"{found} is not a Snakemake profile: {error}.") from None
