"""Gaussians on the line, two of them at -2 and 2: games small enough to be drawn and solved by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Mixture


@dataclass(frozen=True)
class Line(Mixture):
    """An equal mixture of Gaussians at `means` (Berard et al. 2020). `means: [0]` is the standard normal."""

    means: tuple[float, ...] = (-2.0, 2.0)
    """Centres of the Gaussians."""
    sigma: Annotated[float, Interval(gt=0)] = 1.0
    """Standard deviation of each Gaussian."""
    examples: Annotated[int, Interval(ge=16, le=10_000_000)] = 10000
    """Number of training examples; a quarter as many are held out."""

    stream: ClassVar[str] = "line"

    @property
    def centres(self) -> np.ndarray:
        return np.array(self.means)[:, None]
