"""Images of three channels that each show a digit of its own: a thousand modes from ten classes."""

from __future__ import annotations

import numpy as np

from ganbench.core.random_streams import stream
from ganbench.data._images import empty

CHANNELS, MODES = 3, 1000
BLOCK = 10_000  # images that are stacked at a time


def stack(name: str, part: str, images: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw three images each, uniformly with replacement, as the channels of one (Metz et al. 2017).

    Args:
        name, part: names of the data set and of its part, which have a random stream of their own.
        images: (n, height, width).
        labels: class of each, (n,), 0 to 9.
        count: number of stacked images.

    Returns:
        Stacked images (count, 3, height, width), as a map of a temporary file if they are large, and their modes
        100 a + 10 b + c, (count,), int64.
    """
    chosen = stream(0, f"{name}-{part}").integers(len(images), size=(count, CHANNELS))
    stacked = empty((count, CHANNELS, *images.shape[1:]), images.dtype)
    for start in range(0, count, BLOCK):  # in blocks, since an indexing of all would take memory for all
        stacked[start : start + BLOCK] = images[chosen[start : start + BLOCK]]
    return stacked, labels[chosen].astype(np.int64) @ np.array([100, 10, 1])
