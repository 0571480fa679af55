"""Centres of mixtures of Gaussians in the plane."""

from __future__ import annotations

import numpy as np


def lattice(side: int, spacing: float) -> np.ndarray:
    """The centres of a square grid around the origin, row by row, (side^2, 2)."""
    levels = spacing * (np.arange(side) - (side - 1) / 2)
    return np.stack([grid.ravel() for grid in np.meshgrid(levels, levels, indexing="ij")], axis=1)


def circle(modes: int, radius: float) -> np.ndarray:
    """The centres at the angles 2 pi k / modes, (modes, 2)."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
