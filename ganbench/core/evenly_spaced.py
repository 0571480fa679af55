"""Some of many examples, evenly spaced."""

from __future__ import annotations

import numpy as np


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """The indices of at most `most` of `count` examples, evenly spaced, ascending: all of no more, and exactly `most`
    of more, so that numbers of examples do not jump as a data set grows.

    A data set may hold its examples in an order, class after class, so the first of them would not do.
    """
    few = min(count, most)
    return np.arange(few) * count // few
