"""Recorded curves as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.core.tree import Tree


def curves_table(curves: Tree) -> pd.DataFrame:
    """The bins of all series of a run, one series below the other.

    Args:
        curves: the curves of a `Recorder`.

    Returns:
        One row per series and bin, with the columns series, first_step, last_step, min, mean and max.
    """
    names, bins = curves["series"], len(curves["first_step"])
    steps = {name: np.tile(curves[name], len(names)) for name in ("first_step", "last_step")}
    values = {name: curves[name].T.ravel() for name in ("min", "mean", "max")}
    return pd.DataFrame({"series": np.repeat(names, bins), **steps, **values})
