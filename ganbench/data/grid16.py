"""Sixteen Gaussians on a 4x4 grid with spacing 1, sigma 0.02: mode collapse in two directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Mixture
from ganbench.data._centres import lattice

SIDE = 4  # modes


@dataclass(frozen=True)
class Grid16(Mixture):
    """A mixture of equal isotropic Gaussians at {-1.5, -0.5, 0.5, 1.5}^2, row by row (Balduzzi et al. 2018, whose code
    draws with a standard deviation of 0.02)."""

    examples: Annotated[int, Interval(ge=16, le=10_000_000)] = 20000
    """Number of training examples; a quarter as many are held out."""
    sigma: Annotated[float, Interval(gt=0)] = 0.02
    """Standard deviation of each Gaussian in each direction."""

    stream: ClassVar[str] = "grid16"

    @property
    def centres(self) -> np.ndarray:
        return lattice(SIDE, spacing=1.0)
