"""Pieces of scikit-learn's two sample photographs, as images of a data set."""

from __future__ import annotations

from functools import cache

import numpy as np


@cache
def _photographs() -> list[np.ndarray]:
    from sklearn.datasets import load_sample_images

    return load_sample_images().images


def pieces(count: int, side: int, seed: int) -> np.ndarray:
    """Colour images (count, 3, side, side) in [-1, 1], cut from the photographs in turn at random places."""
    random, found = np.random.default_rng(seed), []
    for index in range(count):
        picture = _photographs()[index % 2]
        y, x = (random.integers(size - side) for size in picture.shape[:2])
        found.append(picture[y : y + side, x : x + side].transpose(2, 0, 1) / 127.5 - 1)
    return np.array(found)
