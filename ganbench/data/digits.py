"""The 1,797 handwritten digits of scikit-learn, 8x8 grey levels, ten classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.data import Dataset, DataSpec, Examples

HELD_OUT = 360  # a fifth, 36 of each class but for rounding


@dataclass(frozen=True)
class Digits(Dataset):
    """The test part of the UCI optical digits (Alpaydin and Kaynak 1998), split once, evenly over classes."""

    judge: ClassVar[str] = "classifier"

    @property
    def spec(self) -> DataSpec:
        return DataSpec(shape=(1, 8, 8), bounded=True, train=1797 - HELD_OUT, modes=10)

    def load(self) -> Examples:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        images, labels = load_digits(return_X_y=True)
        images = (images / 8 - 1).reshape(-1, 1, 8, 8).astype(np.float32)  # grey levels 0 ... 16 to [-1, 1]
        train, heldout, train_labels, heldout_labels = train_test_split(
            images, labels.astype(np.int64), test_size=HELD_OUT, stratify=labels, random_state=0
        )
        return Examples(train, train_labels, heldout, heldout_labels)
