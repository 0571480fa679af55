"""What `collect` leaves for every reader: four tables, the meaning of the metrics, and samples, in one folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
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
    metrics: dict[str, MetricInfo]  # by column name, the study's most telling metric of each data set first

    @classmethod
    def read(cls, folder: Path) -> Collected:
        tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
        metrics = json.loads((folder / "metrics.json").read_text())
        return cls(folder=folder, metrics={name: MetricInfo(**info) for name, info in metrics.items()}, **tables)

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
