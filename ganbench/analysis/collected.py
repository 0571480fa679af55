"""What `collect` leaves for every reader: five tables, the meaning of the metrics, and samples, in one folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from ganbench.analysis.columns import TABLES
from ganbench.core.metric import MetricInfo


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
    instruments: dict[str, MetricInfo]  # by quantity: what the numbers in `measurements` mean

    @classmethod
    def read(cls, folder: Path) -> Collected:
        tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
        infos = {
            name: {
                column: MetricInfo(**info) for column, info in json.loads((folder / f"{name}.json").read_text()).items()
            }
            for name in ("metrics", "instruments")
        }
        return cls(folder=folder, **infos, **tables)

    @cached_property
    def gans(self) -> Collected:
        """The part of the study that trains networks on data, which can be judged."""
        runs = self.runs[self.runs["dataset"].notna()]
        snapshots, curves = (table[table["run"].isin(runs["run"])] for table in (self.snapshots, self.curves))
        return replace(self, runs=runs, snapshots=snapshots, curves=curves)

    def arrays(self, experiment: str) -> dict[str, dict[str, np.ndarray]]:
        """What an experiment's instrument left to draw: by run, arrays by name."""
        with h5py.File(self.folder / "arrays.h5", "r") as file:
            group = file.get(experiment, {})
            return {run: {name: values[()] for name, values in group[run].items()} for run in group}

    def samples(self, run: str) -> tuple[np.ndarray, np.ndarray]:
        """Generated examples of one run, from the same latent points at every snapshot.

        Returns:
            steps of shape (S,) and examples of shape (S, n, *shape): images as (channels, height, width) in [-1, 1],
            points of the plane as (2,).
        """
        with h5py.File(self.folder / "samples.h5", "r") as file:
            group = file["runs"][run]
            return group["step"][:], group["samples"][:]

    def real(self, dataset: str) -> np.ndarray:
        """Real held-out examples of a data set, shape (n, *shape), to lay next to the generated ones."""
        with h5py.File(self.folder / "samples.h5", "r") as file:
            return file["real"][dataset][:]
