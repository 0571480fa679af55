"""Gaussians on a circle, eight of them with radius 1, sigma 0.01, or any number, radius and width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Mixture
from ganbench.data._centres import circle


@dataclass(frozen=True)
class Ring(Mixture):
    """A mixture of equal isotropic Gaussians at the angles 2 pi k / modes, with the radius and the sigma of PacGAN (Lin
    et al. 2018) and of Mescheder et al. (2017). `ring8` is the ring of Metz et al. (2017), with sigma 0.02."""

    modes: Annotated[int, Interval(ge=1, le=1000)] = 8
    """Number of Gaussians."""
    radius: Annotated[float, Interval(gt=0)] = 1.0
    """Radius of the circle of their centres."""
    sigma: Annotated[float, Interval(gt=0)] = 0.01
    """Standard deviation of each Gaussian in each direction."""
    examples: Annotated[int, Interval(ge=16, le=10_000_000)] = 100_000
    """Number of training examples; a quarter as many are held out."""

    stream: ClassVar[str] = "ring"

    @property
    def centres(self) -> np.ndarray:
        return circle(self.modes, self.radius)
