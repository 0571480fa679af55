"""Noise: examples of independent numbers, each with the mean and the spread that it has in real examples.

A generator whose examples are no nearer to real ones than noise has learned at most where each number lies, and nothing
of how numbers go together. Unlike the distance of an untrained generator, that of noise depends on no network: one that
draws a single grey image is so far from photographs that any texture is near in comparison.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganbench.core.pixels import floats
from ganbench.core.random_streams import stream

PART = 2000  # examples that are numbers in memory at a time
IMAGES = 4  # axes of an array of images


def noise_like(stored: np.ndarray, count: int) -> np.ndarray:
    """Draw noise: every number from the normal distribution with its mean and variance over real examples, those of
    images cut to their range.

    Args:
        stored: the real examples as they are stored, (n, *shape), which may lie in a file.
        count: number of examples to draw, m.

    Returns:
        The noise as numbers, (m, *shape), float32; the same at every call.
    """
    mean, variance = np.zeros(stored.shape[1:]), np.zeros(stored.shape[1:])
    for numbers in _parts(stored):
        mean += numbers.sum(axis=0, dtype=np.float64) / len(stored)
    for numbers in _parts(stored):  # once more, since a difference of sums of squares would cancel
        variance += ((numbers - mean) ** 2).sum(axis=0) / len(stored)
    drawn = stream(0, "noise").standard_normal((count, *stored.shape[1:]), dtype=np.float32)
    drawn *= np.sqrt(variance).astype(np.float32)
    drawn += mean.astype(np.float32)
    return np.clip(drawn, -1, 1, out=drawn) if stored.ndim == IMAGES else drawn


def _parts(stored: np.ndarray) -> Iterator[np.ndarray]:
    """Real examples as numbers, some at a time."""
    for first in range(0, len(stored), PART):
        yield floats(stored[first : first + PART])
