"""Gaussians on the line, two of them at -2 and 2: games small enough to be drawn and solved by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.data import DataSpec, Examples
from ganbench.data._gaussians import mixture


@dataclass(frozen=True)
class Dataset:
    """An equal mixture of Gaussians at `means` (Berard et al. 2020). `means: [0]` is the standard normal."""

    means: tuple[float, ...] = (-2.0, 2.0)
    sigma: float = 1.0
    examples: int = 10000  # to train on; a quarter as many again are held out

    judge: ClassVar[str] = "mixture"

    @property
    def spec(self) -> DataSpec:
        return DataSpec(shape=(1,), bounded=False, train=self.examples, modes=len(self.means))

    def load(self) -> Examples:
        return mixture("line", np.array(self.means)[:, None], self.sigma, self.examples)
