"""Eight Gaussians on the unit circle, sigma 0.02: the standard test for mode collapse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Mixture
from ganbench.data._centres import circle

MODES = 8


@dataclass(frozen=True)
class Ring8(Mixture):
    """A mixture of equal isotropic Gaussians at the angles 2 pi k / 8 (Metz et al. 2017, with eight distinct modes:
    their demo's `linspace(0, 2 pi, 8)` puts the first and the last in one place)."""

    examples: Annotated[int, Interval(ge=16, le=10_000_000)] = 20000
    """Number of training examples; a quarter as many are held out."""
    sigma: Annotated[float, Interval(gt=0)] = 0.02
    """Standard deviation of each Gaussian in each direction."""
    radius: Annotated[float, Interval(gt=0)] = 1.0
    """Radius of the circle of the centres."""

    stream: ClassVar[str] = "ring8"

    @property
    def centres(self) -> np.ndarray:
        return circle(MODES, self.radius)
