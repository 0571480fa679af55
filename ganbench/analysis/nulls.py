"""Nulls: what a perfect generator would score in a metric, and whether a value can be told from that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.noise import tells_noise

RTOL = 1e-9  # of the larger bound: a null without spread is one number, which sums may miss in their last digits


@dataclass(frozen=True)
class NullInterval:
    """What real examples score in place of generated ones.

    Attributes:
        mean: mean over the draws of real examples.
        low, high: bounds between which one more draw would lie with a probability of 95%.
    """

    mean: float
    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Whether a value is one that real data have in this metric; NaN is not."""
        room = RTOL * max(abs(self.low), abs(self.high))
        return self.low - room <= value <= self.high + room


def null_of(collected: Collected, dataset: str, metric: str) -> NullInterval | None:
    """The null of a metric on a data set; None where it was not measured, or is not finite."""
    found = _row(collected, dataset, metric)
    if found is None or not np.isfinite(found[["mean", "low", "high"]].astype(float)).all():
        return None
    return NullInterval(**{name: float(found[name]) for name in ("mean", "low", "high")})


def noise_of(collected: Collected, dataset: str, metric: str) -> float:
    """What noise scores in a metric, independent numbers with the means and variances of the real ones; NaN if that was
    not measured. Where real examples are too few for a null, it may be known nevertheless."""
    found = _row(collected, dataset, metric)
    return np.nan if found is None else float(found["noise"])


def untrained_of(collected: Collected, runs: pd.DataFrame, metric: str) -> pd.Series:
    """What the untrained generators of runs score in a metric, at step 0, by run; runs without a finite value there are
    left out."""
    snapshots = collected.snapshots
    if metric not in snapshots:
        return pd.Series(dtype=np.float64)
    first = snapshots[(snapshots["step"] == 0) & snapshots["run"].isin(runs["run"])].set_index("run")[metric]
    values = pd.to_numeric(first).astype(np.float64)
    return values[np.isfinite(values)]


def noise_is_told(collected: Collected, dataset: str, metric: str) -> bool | None:
    """Whether a metric tells noise from the real examples of a data set, see `tells_noise`."""
    null = null_of(collected, dataset, metric)
    bounds = None if null is None else (null.low, null.high)
    return tells_noise(collected.metrics[metric], bounds, noise_of(collected, dataset, metric))


def _row(collected: Collected, dataset: str, metric: str) -> pd.Series | None:
    table = collected.nulls
    found = table[(table["dataset"] == dataset) & (table["metric"] == metric)]
    return None if found.empty else found.iloc[0]
