"""Gaussians on a square grid, 5x5 of them with spacing 2, sigma 0.05: mode collapse among many modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Mixture
from ganbench.data._centres import lattice


@dataclass(frozen=True)
class Grid(Mixture):
    """A mixture of equal isotropic Gaussians around the origin, row by row: at {-4, -2, 0, 2, 4}^2 with sigma 0.05, as
    PacGAN has them (Lin et al. 2018). `grid16` is the grid of 4x4 of Balduzzi et al. (2018)."""

    modes_per_side: Annotated[int, Interval(ge=1, le=100)] = 5
    """Number of Gaussians in a row and in a column."""
    spacing: Annotated[float, Interval(gt=0)] = 2.0
    """Distance of neighbouring centres."""
    sigma: Annotated[float, Interval(gt=0)] = 0.05
    """Standard deviation of each Gaussian in each direction."""
    examples: Annotated[int, Interval(ge=16, le=10_000_000)] = 100_000
    """Number of training examples; a quarter as many are held out."""

    stream: ClassVar[str] = "grid"

    @property
    def centres(self) -> np.ndarray:
        return lattice(self.modes_per_side, self.spacing)
