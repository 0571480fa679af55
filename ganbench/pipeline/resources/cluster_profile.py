"""Snakemake profiles, as Snakemake finds and reads them: where and how a study's jobs would run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganbench.core.errors import GanbenchError

PROFILES = Path("workflow/profiles")
DEFAULT = PROFILES / "default"  # Snakemake takes it by itself
LOCAL = "local"


@dataclass(frozen=True)
class Profile:
    """The settings of a profile about where and how jobs run."""

    executor: str
    parallel_jobs: str  # number of jobs that run at the same time, as the profile writes it
    retries: int
    config: dict[str, Any]  # values that replace those of the study; in mappings all are text

    @property
    def workers(self) -> int | None:
        """The number of jobs that run at the same time; None for one per CPU of this machine."""
        return int(self.parallel_jobs) if self.parallel_jobs.isdigit() else None

    def replaced(self, study: Mapping[str, Any]) -> Iterator[str]:
        """Describe each value of a study that `config` replaces.

        Args:
            study: the study, as read from its file.
        """
        yield from _replaced(study, self.config, "")


def _replaced(study: Mapping[str, Any], config: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in config.items():
        own = study.get(key)
        if isinstance(own, Mapping) and isinstance(value, Mapping):
            yield from _replaced(own, value, f"{prefix}{key}.")
        elif own is not None and str(own) != str(value):
            yield f"{prefix}{key}: {value} of the profile replaces {own} of the study."


def read(path: Path) -> Profile:
    """Read a profile.

    Args:
        path: the folder of the profile, the file in it, or the name of one of the project's.

    Returns:
        The profile.

    Raises:
        GanbenchError: there is no profile at this path, or it is not valid.
    """
    from configargparse import ConfigFileParserException  # imports of Snakemake take a second
    from snakemake.cli import get_profile_dir, parse_config
    from snakemake.exceptions import WorkflowError
    from snakemake.profiles import ProfileConfigFileParser

    found = get_profile_dir(str(path)) or get_profile_dir(str(PROFILES / path))
    if found is None:
        valid = ", ".join(sorted(str(folder) for folder in PROFILES.glob("*"))) or "none here"
        raise GanbenchError(f"there is no profile {path}; valid: {valid}, or a folder of your own with a config.yaml.")
    _, file = found
    try:
        with file.open() as stream:
            values = ProfileConfigFileParser().parse(stream)
        entries = values.get("config", [])
        return Profile(
            executor=values.get("executor", LOCAL),
            parallel_jobs=str(values.get("jobs", values.get("cores", 1))),
            retries=int(values.get("retries", 0)),
            config=parse_config([entries] if isinstance(entries, str) else entries),
        )
    except (ConfigFileParserException, WorkflowError, AttributeError, ValueError, TypeError) as error:
        raise GanbenchError(f"{file} is not a Snakemake profile: {error}.") from None
