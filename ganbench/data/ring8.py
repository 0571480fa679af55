"""Eight Gaussians on the unit circle, sigma 0.02: the standard test for mode collapse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Dataset, DataSpec, Examples
from ganbench.data._gaussians import circle, draw, mixture

MODES = 8


@dataclass(frozen=True)
class Ring8(Dataset):
    """A mixture of equal isotropic Gaussians at the angles 2 pi k / 8 (Metz et al. 2017, with eight distinct modes:
    their demo's `linspace(0, 2 pi, 8)` puts the first and the last in one place)."""

    examples: Annotated[int, Interval(ge=16, le=10_000_000)] = 20000
    """Number of training examples; a quarter as many are held out."""
    sigma: Annotated[float, Interval(gt=0)] = 0.02
    """Standard deviation of each Gaussian in each direction."""
    radius: Annotated[float, Interval(gt=0)] = 1.0
    """Radius of the circle of the centres."""

    judge: ClassVar[str] = "mixture"

    @property
    def spec(self) -> DataSpec:
        return DataSpec(shape=(2,), bounded=False, train=self.examples, modes=MODES)

    def load(self) -> Examples:
        return mixture("ring8", self._centres, self.sigma, self.examples)

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        return draw(self._centres, self.sigma, count, random)[0]

    @property
    def _centres(self) -> np.ndarray:
        return circle(MODES, self.radius)
