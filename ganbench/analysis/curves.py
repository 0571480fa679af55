"""Recorded curves as a table."""

from __future__ import annotations

import pandas as pd

from ganbench.core.tree import Tree


def curves_table(curves: Tree) -> pd.DataFrame:
    """The bins of all series of a run, one below the other.

    Args:
        curves: the curves of a `Recorder`.

    Returns:
        One row per series and bin, with the columns series, first_step, last_step, min, mean and max.
    """
    steps = {name: curves[name] for name in ("first_step", "last_step")}
    parts = [
        pd.DataFrame({"series": name, **steps, **{what: curves[what][:, index] for what in ("min", "mean", "max")}})
        for index, name in enumerate(curves["series"])
    ]
    return pd.concat(parts, ignore_index=True)
