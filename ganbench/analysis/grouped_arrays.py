"""Rows of a table by run as arrays: a data frame of each of many thousand runs would take most of the time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def grouped_arrays(
    table: pd.DataFrame, keys: Sequence[str], columns: Sequence[str]
) -> dict[tuple[object, ...], dict[str, np.ndarray]]:
    """Split columns of a table by the values of others, in one pass over the table.

    Args:
        table: the table.
        keys: names of the columns whose values make the groups; rows that lack one of them are left out.
        columns: names of the columns that are returned.

    Returns:
        By the values of `keys`, in the order in which they first occur, the columns by name, each of shape (rows of the
        group,) in the order of the table.
    """
    codes = table.groupby(list(keys), sort=False).ngroup().to_numpy(dtype=np.float64)  # NaN where a key is missing
    order = np.argsort(codes, kind="stable")[: np.isfinite(codes).sum()]
    if not len(order):
        return {}
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    firsts = order[np.concatenate([[0], bounds])]
    parts = {name: np.split(table[name].to_numpy()[order], bounds) for name in columns}
    names = zip(*(table[key].iloc[firsts] for key in keys), strict=True)
    return {key: {name: parts[name][at] for name in columns} for at, key in enumerate(names)}
