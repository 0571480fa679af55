"""Numbers that are measured at several snapshots of a run, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ganbench.numerics.trajectories import Trajectories

WHEN = {"start": "at the start", "end": "at the end", "mean": "mean over the path"}


def spaced_snapshots(trajectories: Trajectories, most: int) -> np.ndarray:
    """The indices of at most so many snapshots, evenly spaced among those kept, the first and the last among them."""
    count = len(trajectories.steps)
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))


def summaries(along: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The first, the last and the mean value of each number, as `<name>_start`, `<name>_end` and `<name>_mean`.

    Args:
        along: the values at the snapshots, (K, S) each; NaN where a run has none.

    Returns:
        Values (K,), in the order of the names; means are over the snapshots at which a run has a value.
    """
    found = {}
    for name, values in along.items():
        known = np.isfinite(values)
        total = np.where(known, values, 0).sum(1)
        mean = np.divide(total, known.sum(1), out=np.full(len(values), np.nan), where=known.any(1))
        found |= {f"{name}_start": values[:, 0], f"{name}_end": values[:, -1], f"{name}_mean": mean}
    return found
