"""Gaussians on a circle, eight of them with radius 1, sigma 0.01, or any number, radius and width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Dataset, DataSpec, Examples
from ganbench.data._gaussians import circle, draw, mixture


@dataclass(frozen=True)
class Ring(Dataset):
    """A mixture of equal isotropic Gaussians at the angles 2 pi k / modes, with the radius and the sigma of PacGAN (Lin
    et al. 2018) and of Mescheder et al. (2017). `ring8` is the ring of Metz et al. (2017), with sigma 0.02."""

    modes: Annotated[int, Interval(ge=1, le=1000)] = 8
    radius: Annotated[float, Interval(gt=0)] = 1.0
    sigma: Annotated[float, Interval(gt=0)] = 0.01
    examples: Annotated[int, Interval(ge=16, le=10_000_000)] = 100_000  # for training; 1/4 as many are held out

    judge: ClassVar[str] = "mixture"

    @property
    def spec(self) -> DataSpec:
        return DataSpec(shape=(2,), bounded=False, train=self.examples, modes=self.modes)

    def load(self) -> Examples:
        return mixture("ring", self._centres, self.sigma, self.examples)

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        return draw(self._centres, self.sigma, count, random)[0]

    @property
    def _centres(self) -> np.ndarray:
        return circle(self.modes, self.radius)
