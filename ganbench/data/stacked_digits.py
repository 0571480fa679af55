"""Stacked digits: three of scikit-learn's 8x8 digits as the channels of one image, 1,000 modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ganbench.core.interval import Interval
from ganbench.core.pixels import within_one
from ganbench.data import Dataset, DataSpec, Examples
from ganbench.data._digits import SHAPE, digits
from ganbench.data._stacking import CHANNELS, MODES, stack


@dataclass(frozen=True)
class StackedDigits(Dataset):
    """The test for mode collapse of Metz et al. (2017) without a download. Training examples are stacked of the
    training digits, held-out ones of the held-out digits, with their numbers fixed by a stream of the data set."""

    examples: Annotated[int, Interval(ge=20_000, le=1_000_000)] = 50_000
    """Number of training examples; a quarter as many are held out."""
    mean: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Number that is subtracted from pixel values: networks see (v / 16 - mean) / std of the grey level v."""
    std: Annotated[float, Interval(gt=0, le=10)] = 0.5
    """Number by which pixel values are divided after that; 0.5, with a `mean` of 0.5, gives values in [-1, 1]."""

    judge: ClassVar[str] = "classifier(per_channel=true)"

    @property
    def spec(self) -> DataSpec:
        bounded = within_one(self.mean, self.std)
        return DataSpec((CHANNELS, *SHAPE), bounded, self.examples, MODES, mean=self.mean, std=self.std)

    def load(self) -> Examples:
        train, labels, heldout, others = digits()
        train, modes = stack("stacked_digits", "train", train, labels, self.examples)
        heldout, heldout_modes = stack("stacked_digits", "heldout", heldout, others, self.examples // 4)
        return Examples(train, modes, heldout, heldout_modes)
