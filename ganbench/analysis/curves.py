"""Recorded curves as columns of a table."""

from __future__ import annotations

import numpy as np

from ganbench.core.tree import Tree


def curve_columns(curves: Tree) -> dict[str, np.ndarray]:
    """The bins of all series of a run, one series below the other.

    Args:
        curves: the curves of a `Recorder`.

    Returns:
        The columns series, first_step, last_step, min, mean and max, each of shape (series * bins,). A study may have
        many thousand runs, and a data frame of each would take most of the time.
    """
    names, bins = curves["series"], len(curves["first_step"])
    steps = {name: np.tile(curves[name], len(names)) for name in ("first_step", "last_step")}
    values = {name: curves[name].T.ravel() for name in ("min", "mean", "max")}
    return {"series": np.repeat(np.array(names, dtype=object), bins), **steps, **values}
