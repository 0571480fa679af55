"""The numbers that bytes of images stand for, and the range in which networks see them.

Images are stored, held in memory and moved to a GPU as bytes, a quarter of the size of single precision. Judges,
metrics and pictures see the byte v as v / 127.5 - 1, in [-1, 1], whatever the networks see: so that scores of different
normalisations are of the same numbers. Networks see (v / 255 - mean) / std, by the data set's `mean` and `std`; the
default of one half each is the range of the judges. What a generator makes is carried back by `shown`.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

HALF = 127.5  # of the range of a byte: v stands for v / HALF - 1, computed in single precision
MEAN = STD = 0.5  # with which networks see the numbers that judges see
ATOL = 1e-6  # of the ends of a range

Numbers = TypeVar("Numbers")  # an array or a tensor


def floats(stored: np.ndarray) -> np.ndarray:
    """Stored examples as the numbers that judges, metrics and pictures see.

    Args:
        stored: examples of any shape; a byte v stands for v / 127.5 - 1.

    Returns:
        Bytes as float32, of the same shape; an array of another type as it is.
    """
    return stored / np.float32(HALF) - np.float32(1) if stored.dtype == np.uint8 else stored


def is_default(mean: float, std: float) -> bool:
    """Whether networks see the same numbers as judges."""
    return (mean, std) == (MEAN, STD)


def limits(mean: float, std: float) -> tuple[float, float]:
    """The numbers that black and white are to networks: -mean / std and (1 - mean) / std."""
    return -mean / std, (1 - mean) / std


def within_one(mean: float, std: float) -> bool:
    """Whether all numbers that networks see lie in [-1, 1], but for rounding."""
    return all(abs(end) <= 1 + ATOL for end in limits(mean, std))


def shown(numbers: Numbers, mean: float, std: float) -> Numbers:
    """What networks make, as the numbers that judges, metrics and pictures see: 2 (mean + std x) - 1.

    Args:
        numbers: x, an array or a tensor of any shape.
        mean, std: of the data set.

    Returns:
        Numbers in [-1, 1] where x is between `limits`; x itself for the defaults.
    """
    return numbers if is_default(mean, std) else numbers * (2 * std) + (2 * mean - 1)
