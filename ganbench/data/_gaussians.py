"""Equal mixtures of isotropic Gaussians, for the synthetic data sets."""

from __future__ import annotations

import numpy as np

from ganbench.core.random_streams import stream
from ganbench.data import Examples


def mixture(name: str, centres: np.ndarray, sigma: float, examples: int) -> Examples:
    """Draw x = centre[k] + sigma * noise, with k uniform over the centres and noise standard normal.

    Args:
        name: name of the data set, which has a random stream of its own.
        centres: one row per mode, (modes, d).
        sigma: standard deviation of every mode in every direction.
        examples: number of training examples; a quarter as many more are held out.
    """
    random = stream(0, name)
    parts = {}
    for part, count in (("train", examples), ("heldout", examples // 4)):
        parts[part], parts[f"{part}_modes"] = draw(centres, sigma, count, random)
    return Examples(**parts, facts={"centers": centres, "sigma": np.array(sigma)})


def draw(centres: np.ndarray, sigma: float, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Examples of a mixture, (count, d) float32, and the mode of each, (count,) int64; arguments as of `mixture`."""
    modes = random.integers(len(centres), size=count)
    noise = random.standard_normal((count, centres.shape[1]))
    return (centres[modes] + sigma * noise).astype(np.float32), modes


def lattice(side: int, spacing: float) -> np.ndarray:
    """The centres of a square grid around the origin, row by row, (side^2, 2)."""
    levels = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack([grid.ravel() for grid in np.meshgrid(levels, levels, indexing="ij")], axis=1)


def circle(modes: int, radius: float) -> np.ndarray:
    """The centres at the angles 2 pi k / modes, (modes, 2)."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
