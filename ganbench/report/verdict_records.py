"""Records of finished studies: the tables that pages of verdicts are made from, and what is known of the run.

A record is two files of a folder: `<study>.csv`, which is a table of the study's results as it stands, and
`<study>.json`, which says when, on what and at what cost the study was run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from ganbench.core import strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError

CLAIMS, PUBLISHED = Path("docs/claims"), Path("docs/published")  # folders of records; the pages lie beside them


@dataclass(frozen=True)
class StudyRun:
    """When, on what and at what cost a study was run.

    Attributes:
        study: name of the study.
        title: its title.
        file: path of its file from the folder of the project.
        date: day on which its last run was trained.
        machine: processors that trained and scored, with their kernels, in words.
        versions: by name, the versions of Python and of the packages that compute, and the commit of the sources.
        runs: number of runs.
        failed: number of these that failed.
        core_seconds: time that all jobs have worked, in seconds, with those before them whose results they took over.
        elapsed_seconds: time in which a job worked, without that of earlier jobs.
        pack_seconds: by pack, the time that its training, evaluation and diagnoses took; that of measurements of the
            study itself under `study`.
        protocol: how the study differs from the published one, a difference a line.
    """

    study: str
    title: str
    file: str
    date: str
    machine: str
    versions: dict[str, str]
    runs: int
    failed: int
    core_seconds: float
    elapsed_seconds: float
    pack_seconds: dict[str, float] = field(default_factory=dict)
    protocol: str = ""


@dataclass(frozen=True)
class Record:
    """A study's run, with a table of its results."""

    run: StudyRun
    table: pd.DataFrame


def write_record(folder: Path, run: StudyRun, table: bytes) -> None:
    """Write the record of a study; the CSV is kept byte for byte."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / f"{run.study}.csv") as new:
        new.write_bytes(table)
    with atomic_write(folder / f"{run.study}.json") as new:
        new.write_text(strict_json.dumps(asdict(run), indent=1) + "\n", encoding="utf-8")


def read_records(folder: Path) -> list[Record]:
    """Read all records of a folder, in the order of the studies' names.

    Raises:
        GanbenchError: a record lacks one of its two files, or cannot be read.
    """
    names = sorted({path.stem for path in folder.glob("*.csv")} | {path.stem for path in folder.glob("*.json")})
    found = []
    for name in names:
        try:
            run = StudyRun(**json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
            table = pd.read_csv(folder / f"{name}.csv", dtype={"claim": str})
            found.append(Record(run, table))
        except (OSError, ValueError, TypeError) as error:
            raise GanbenchError(f"{folder}: the record of {name} cannot be read: {error}.") from None
    return found
