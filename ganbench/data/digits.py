"""The 1,797 handwritten digits of scikit-learn, 8x8 grey levels, ten classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ganbench.core.interval import Interval
from ganbench.core.pixels import within_one
from ganbench.data import Dataset, DataSpec, Examples
from ganbench.data._digits import SHAPE, TRAIN, digits


@dataclass(frozen=True)
class Digits(Dataset):
    """The test part of the UCI optical digits (Alpaydin and Kaynak 1998), split once, evenly over classes."""

    mean: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Number that is subtracted from pixel values: networks see (v / 16 - mean) / std of the grey level v."""
    std: Annotated[float, Interval(gt=0, le=10)] = 0.5
    """Number by which pixel values are divided after that; 0.5, with a `mean` of 0.5, gives values in [-1, 1]."""

    judge: ClassVar[str] = "classifier"

    @property
    def spec(self) -> DataSpec:
        bounded = within_one(self.mean, self.std)
        return DataSpec((1, *SHAPE), bounded, TRAIN, modes=10, mean=self.mean, std=self.std)

    def load(self) -> Examples:
        train, labels, heldout, others = digits()
        return Examples(train[:, None], labels, heldout[:, None], others)
