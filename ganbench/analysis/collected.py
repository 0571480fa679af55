"""The folder that `collect` writes: nine tables, the meaning of the metrics and diagnostics, arrays and samples.

The folder of an unfinished study holds the results so far, and a note on the missing ones.
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
LAST = "runs"  # the table that is written last: its presence means that all tables are complete
MISSING_TABLE, MISSING_NOTE = "missing.parquet", "missing.json"


@dataclass(frozen=True)
class EndedJob:
    """A job that failed, or from which nothing more is expected."""

    stage: str
    name: str
    state: str
    cause: str
    log: str  # path of the job's log; empty where the job has no log


@dataclass(frozen=True)
class Missing:
    """The results that an unfinished study lacks."""

    runs: pd.DataFrame  # columns: MISSING
    observations: dict[str, tuple[int, int]]  # by experiment: numbers of missing results and of all results
    stages: dict[str, dict[str, int]]  # by stage: number of its jobs in each state
    ended: tuple[EndedJob, ...]
    at: str  # UTC time at which this was found
    held: str  # the holder of the results folder, in words; empty where nobody held it

    @classmethod
    def read(cls, folder: Path) -> Missing | None:
        """Read the note on missing results from a folder of collected results; None where none are missing."""
        if not (folder / MISSING_NOTE).exists():
            return None
        known = checksums.read_sums(folder / checksums.FILE_NAME)
        note = json.loads(checksums.read_verified(folder / MISSING_NOTE, known))
        note["ended"] = tuple(EndedJob(**each) for each in note["ended"])
        note["observations"] = {experiment: tuple(counts) for experiment, counts in note["observations"].items()}
        return cls(runs=_table(folder / MISSING_TABLE, known), **note)

    def write(self, folder: Path) -> None:
        """Write the note on missing results into a folder of collected results, for `read`."""
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
    nulls: pd.DataFrame  # columns: NULLS
    measurements: pd.DataFrame  # columns: MEASUREMENTS
    run_outcomes: pd.DataFrame  # columns: RUN_OUTCOMES
    events: pd.DataFrame  # columns: EVENTS
    modes: pd.DataFrame  # columns: MODES
    metrics: dict[str, MetricInfo]  # by column name, the most telling metric of each data set first
    quantities: dict[str, MetricInfo]  # by quantity: the meanings of the numbers in `measurements`
    missing: Missing | None = None  # None where the study is done

    @classmethod
    def read(cls, folder: Path) -> Collected:
        """Read the collected results that `write` wrote into a folder.

        Raises:
            GanbenchError: a file is damaged.
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
        """The number of collected runs out of all runs of the study, in words."""
        missing = 0 if self.missing is None else len(self.missing.runs)
        return f"{len(self.runs):,} of {len(self.runs) + missing:,} runs"

    @cached_property
    def derived(self) -> dict[str, pd.DataFrame]:
        """Tables that were made of these results, by name: several parts of a report need the same."""
        return {}

    @cached_property
    def gans(self) -> Collected:
        """The part of the study whose runs train networks on data, and so can be judged."""
        return self.part(self.runs[self.runs["dataset"].notna()])

    def part(self, runs: pd.DataFrame) -> Collected:
        """The part of the study that some rows of its table of runs stand for."""
        names = ("snapshots", "curves", "run_outcomes", "events", "modes")
        tables = {name: getattr(self, name) for name in names}
        held = {name: table["run"].isin(runs["run"]) for name, table in tables.items()}
        tables = {name: table if held[name].all() else table[held[name]] for name, table in tables.items()}  # no copies
        return replace(self, runs=runs, **tables)

    def arrays(self, experiment: str) -> dict[str, dict[str, np.ndarray]]:
        """Read the arrays that the diagnostic of an experiment wrote.

        Returns:
            By run, the arrays by name; empty if the experiment wrote none.
        """
        with result_files.open_file(self.folder / "arrays.h5", "arrays") as file:
            return result_files.read_tree(result_files.descend(file, experiment)) if experiment in file else {}

    def samples(self, run: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the generated examples of one run, made from the same latent points at every snapshot.

        Returns:
            Steps of shape (S,) and examples of shape (S, n, *shape): images as (channels, height, width) in [-1, 1],
            points of the plane as (2,).
        """
        with result_files.open_file(self.folder / "samples.h5", "samples") as file:
            shown = result_files.read_tree(result_files.descend(file, "runs", run))
        return shown["step"], shown["samples"]

    def real(self, dataset: str) -> np.ndarray:
        """Read real held-out examples of a data set, shape (n, *shape), to show next to the generated ones."""
        with result_files.open_file(self.folder / "samples.h5", "samples") as file:
            return result_files.descend(file, "real", dataset)[:]


def write(folder: Path, tables: Mapping[str, pd.DataFrame], infos: Mapping[str, Mapping[str, Mapping]]) -> None:
    """Write tables and descriptions for `Collected.read`, beside the samples and arrays already in the folder.

    Args:
        folder: the folder to write into.
        tables: the tables by name.
        infos: the mappings `metrics` and `quantities`: by column, the fields of its `MetricInfo`.
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
