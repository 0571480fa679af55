"""What `collect` leaves for every reader: five tables, the meaning of the metrics, and samples, in one folder.

Of a study that is not done, a folder may hold what there is; it then says what is missing too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from ganbench.analysis.columns import TABLES
from ganbench.core import checksums, result_files, strict_json
from ganbench.core.atomic_files import atomic_write
from ganbench.core.metric_info import MetricInfo

INFOS = ("metrics", "quantities")
LAST = "runs"  # who waits for the tables takes them for done when this one is there
MISSING_TABLE, MISSING_NOTE = "missing.parquet", "missing.json"


@dataclass(frozen=True)
class EndedJob:
    """A job that failed, or that will not be heard of again."""

    stage: str
    name: str
    state: str
    cause: str
    log: str  # its path; empty where there is none


@dataclass(frozen=True)
class Missing:
    """What a study that is not done lacks."""

    runs: pd.DataFrame  # columns: MISSING
    observations: dict[str, tuple[int, int]]  # by experiment: numbers of missing results and of all results
    stages: dict[str, dict[str, int]]  # by stage: how many of its jobs stand how
    ended: tuple[EndedJob, ...]
    at: str  # when that was so, UTC
    held: str  # by whom the results folder was, in words; empty where by nobody

    @classmethod
    def read(cls, folder: Path) -> Missing | None:
        """What lies in the folder of a study's collected results; None where they are whole."""
        if not (folder / MISSING_NOTE).exists():
            return None
        known = checksums.read_sums(folder / checksums.FILE_NAME)
        note = json.loads(checksums.read_verified(folder / MISSING_NOTE, known))
        note["ended"] = tuple(EndedJob(**each) for each in note["ended"])
        note["observations"] = {experiment: tuple(counts) for experiment, counts in note["observations"].items()}
        return cls(runs=_table(folder / MISSING_TABLE, known), **note)

    def write(self, folder: Path) -> None:
        """Write what `read` reads."""
        self.runs.to_parquet(folder / MISSING_TABLE, index=False)
        note = {name: value for name, value in vars(self).items() if name != "runs"}
        note["ended"] = [vars(each) for each in self.ended]
        (folder / MISSING_NOTE).write_text(strict_json.dumps(note))
        checksums.write_folder_sums(folder)


@dataclass(frozen=True)
class Collected:
    """A study's collected results, read from `folder`."""

    folder: Path
    runs: pd.DataFrame  # columns: RUNS, then `<metric>_final` for every metric
    snapshots: pd.DataFrame  # columns: SNAPSHOTS, then every metric
    curves: pd.DataFrame  # columns: CURVES
    references: pd.DataFrame  # columns: REFERENCES
    measurements: pd.DataFrame  # columns: MEASUREMENTS
    metrics: dict[str, MetricInfo]  # by column name, the study's most telling metric of each data set first
    quantities: dict[str, MetricInfo]  # by quantity: what the numbers in `measurements` mean
    missing: Missing | None = None  # None where the study is done

    @classmethod
    def read(cls, folder: Path) -> Collected:
        """Read what `write` wrote.

        Raises:
            GanbenchError: it is damaged.
        """
        known = checksums.read_sums(folder / checksums.FILE_NAME)
        tables = {name: _table(folder / f"{name}.parquet", known) for name in TABLES}
        infos = {name: json.loads(checksums.read_verified(folder / f"{name}.json", known)) for name in INFOS}
        infos = {
            name: {column: MetricInfo(**info) for column, info in columns.items()} for name, columns in infos.items()
        }
        return cls(folder=folder, missing=Missing.read(folder), **infos, **tables)

    @cached_property
    def share(self) -> str:
        """How many of the study's runs are there, in words."""
        missing = 0 if self.missing is None else len(self.missing.runs)
        return f"{len(self.runs):,} of {len(self.runs) + missing:,} runs"

    @cached_property
    def gans(self) -> Collected:
        """The part of the study that trains networks on data, which can be judged."""
        runs = self.runs[self.runs["dataset"].notna()]
        snapshots, curves = (table[table["run"].isin(runs["run"])] for table in (self.snapshots, self.curves))
        return replace(self, runs=runs, snapshots=snapshots, curves=curves)

    def arrays(self, experiment: str) -> dict[str, dict[str, np.ndarray]]:
        """Arrays that the diagnostic of an experiment wrote: by run, arrays by name."""
        with result_files.open_file(self.folder / "arrays.h5", "arrays") as file:
            return result_files.read_tree(result_files.descend(file, experiment)) if experiment in file else {}

    def samples(self, run: str) -> tuple[np.ndarray, np.ndarray]:
        """Generated examples of one run, from the same latent points at every snapshot.

        Returns:
            steps of shape (S,) and examples of shape (S, n, *shape): images as (channels, height, width) in [-1, 1],
            points of the plane as (2,).
        """
        with result_files.open_file(self.folder / "samples.h5", "samples") as file:
            shown = result_files.read_tree(result_files.descend(file, "runs", run))
        return shown["step"], shown["samples"]

    def real(self, dataset: str) -> np.ndarray:
        """Real held-out examples of a data set, shape (n, *shape), to lay next to the generated ones."""
        with result_files.open_file(self.folder / "samples.h5", "samples") as file:
            return result_files.descend(file, "real", dataset)[:]


def write(folder: Path, tables: Mapping[str, pd.DataFrame], infos: Mapping[str, Mapping[str, Mapping]]) -> None:
    """Write what `Collected.read` reads, beside the samples and arrays that are in the folder already.

    Args:
        folder: where to.
        tables: by name.
        infos: `metrics` and `quantities`: by column, the fields of its `MetricInfo`.
    """
    for name in INFOS:
        with atomic_write(folder / f"{name}.json") as new:
            new.write_text(strict_json.dumps(infos[name], indent=1, ensure_ascii=False), encoding="utf-8")
    for name in TABLES:
        if name != LAST:
            with atomic_write(folder / f"{name}.parquet") as new:
                tables[name].to_parquet(new, index=False)
    with atomic_write(folder / f"{LAST}.parquet") as new:
        tables[LAST].to_parquet(new, index=False)
        checksums.write_folder_sums(folder, {f"{LAST}.parquet": new})


def _table(path: Path, known: Mapping[str, str]) -> pd.DataFrame:
    return pd.read_parquet(BytesIO(checksums.read_verified(path, known)))
