"""Images for metrics of their pixels: which data sets have them, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganbench.core.evenly_spaced import evenly_spaced
from ganbench.core.pixels import HALF, floats
from ganbench.data import DataSpec

PART = 256  # images that are numbers in memory at a time
ROUNDING = 1 / (12 * HALF**2)  # variance that rounding to bytes gives a pixel: less than that is no contrast


def images_only(data: DataSpec, sides: int, what: str) -> str | None:
    """Why a metric is not defined for a data set; None for images in [-1, 1] of this many pixels a side or more.

    Args:
        data: the data set.
        sides: the smallest height and width.
        what: the name of the metric at the start of a sentence.
    """
    if len(data.shape) == 3 and data.stored_bounded and min(data.shape[1:]) >= sides:
        return None
    return f"{what} is for images with values in [-1, 1], of {sides} pixels a side or more"


def brightness(stored: np.ndarray, max_examples: int) -> Iterator[np.ndarray]:
    """The mean channel of stored images, less each image's mean, in parts of float64 numbers (few, height, width).

    Args:
        stored: images, (n, channels, height, width).
        max_examples: number of images at most; of more, as many that stand evenly spaced are taken.
    """
    chosen = evenly_spaced(len(stored), max_examples)
    for start in range(0, len(chosen), PART):
        grey = floats(stored[chosen[start : start + PART]]).astype(np.float64).mean(axis=1)
        yield grey - grey.mean(axis=(1, 2), keepdims=True)
