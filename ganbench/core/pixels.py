"""The numbers that bytes of images stand for.

Images are stored, held in memory and moved to a GPU as bytes, a quarter of the size of single precision. Whoever
computes with them gets numbers from here, so that all get the same ones.
"""

from __future__ import annotations

import numpy as np

HALF = 127.5  # of the range of a byte: v stands for v / HALF - 1, computed in single precision


def floats(stored: np.ndarray) -> np.ndarray:
    """Stored examples as numbers.

    Args:
        stored: examples of any shape; a byte v stands for v / 127.5 - 1.

    Returns:
        Bytes as float32, of the same shape; an array of another type as it is.
    """
    return stored / np.float32(HALF) - np.float32(1) if stored.dtype == np.uint8 else stored
