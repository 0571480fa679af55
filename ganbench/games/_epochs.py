"""Which examples a run trains on, and in which order: shuffled epochs, any part of which can be had at any time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ganbench.core.random_streams import stream


@lru_cache(maxsize=512)
def subset(seed: int, n_train: int, available: int) -> np.ndarray:
    """Indices of the examples that a run may train on, shape (n_train,); kept, since every epoch permutes them."""
    chosen = stream(seed, "subset").permutation(available)[:n_train]
    chosen = chosen.astype(np.min_scalar_type(-available))  # many runs may keep theirs
    chosen.setflags(write=False)
    return chosen


def epochs(
    seed: int, n_train: int, available: int, start: int, count: int, subset_seed: int | None = None
) -> np.ndarray:
    """Entries start ... start + count of the endless sequence of a run's shuffled epochs: indices of examples, int64.

    Args:
        seed: the run's seed, which orders each epoch.
        n_train: number of examples that the run trains on.
        available: number of examples of the data set.
        start, count: the entries.
        subset_seed: the seed that chooses these examples; None for the run's.
    """
    chosen = seed if subset_seed is None else subset_seed
    first, last = start // n_train, (start + count - 1) // n_train
    orders = np.concatenate([_epoch(seed, chosen, n_train, available, epoch) for epoch in range(first, last + 1)])
    return orders[start - first * n_train :][:count].astype(np.int64)


@lru_cache(maxsize=256)
def _epoch(seed: int, subset_seed: int, n_train: int, available: int, epoch: int) -> np.ndarray:
    return stream(seed, "order", epoch).permutation(subset(subset_seed, n_train, available))
