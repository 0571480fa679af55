"""Sixteen Gaussians on a 4x4 grid with spacing 1, sigma 0.02: mode collapse in two directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Dataset, DataSpec, Examples
from ganbench.data._gaussians import draw, lattice, mixture

SIDE = 4  # modes


@dataclass(frozen=True)
class Grid16(Dataset):
    """A mixture of equal isotropic Gaussians at {-1.5, -0.5, 0.5, 1.5}^2, row by row (Balduzzi et al. 2018, whose code
    draws with a standard deviation of 0.02)."""

    examples: Annotated[int, Interval(ge=16, le=10_000_000)] = 20000
    """Number of training examples; a quarter as many are held out."""
    sigma: Annotated[float, Interval(gt=0)] = 0.02
    """Standard deviation of each Gaussian in each direction."""

    judge: ClassVar[str] = "mixture"

    @property
    def spec(self) -> DataSpec:
        return DataSpec(shape=(2,), bounded=False, train=self.examples, modes=SIDE**2)

    def load(self) -> Examples:
        return mixture("grid16", self._centres, self.sigma, self.examples)

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        return draw(self._centres, self.sigma, count, random)[0]

    @property
    def _centres(self) -> np.ndarray:
        return lattice(SIDE, spacing=1.0)
