"""A noisy spiral in the plane, without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Dataset, DataSpec, Examples


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyDataset(Dataset):
    """Points at the angles t, uniform in [0, 2 pi turns], and the radii t / (2 pi turns), with Gaussian noise."""

    turns: Annotated[float, Interval(gt=0, le=10)] = 1.5
    """Number of turns of the spiral."""
    sigma: Annotated[float, Interval(gt=0)] = 0.02
    """Standard deviation of the noise."""
    examples: Annotated[int, Interval(ge=16, le=10_000_000)] = 4000
    """Number of training examples; a quarter as many are held out."""

    judge: ClassVar[str] = "pixels"  # gives features, here the coordinates; see `ganbench list judge`

    @property
    def spec(self) -> DataSpec:
        # Known without loading anything. `modes` is the number of classes, 0 without labels; images have the shape
        # (channels, height, width); `bounded` says that all values lie in [-1, 1]; `files` names what load() reads.
        return DataSpec(shape=(2,), bounded=False, train=self.examples, modes=0)

    def load(self) -> Examples:
        # float32, or uint8 for images where the spec says so, and the same at every call: seed what you draw.
        # With modes, `train_modes` and `heldout_modes` are int64 from 0 on.
        random = np.random.default_rng(0)
        train, heldout = (self.draw(count, random) for count in (self.examples, self.examples // 4))
        return Examples(train=train, train_modes=None, heldout=heldout, heldout_modes=None)

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        # New examples, for data whose distribution is known: what a perfect generator scores is measured with them.
        # Leave this method out for other data.
        share = random.random((count, 1))
        angle = 2 * np.pi * self.turns * share
        centre = share * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        return (centre + self.sigma * random.standard_normal((count, 2))).astype(np.float32)
