"""Patches of scikit-learn's two sample photographs, a temple and a flower: colour images without a download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.pixels import within_one
from ganbench.core.random_streams import stream
from ganbench.data import Dataset, DataSpec, Examples

HEIGHT, WIDTH = 427, 640  # pixels of both photographs
STRIPE = {"train": 3, "heldout": 2}  # widths of the stripes of columns that patches lie in, in sides of a patch
MAX_HELD_OUT = 1000


@dataclass(frozen=True)
class Photos(Dataset):
    """Square patches of `china.jpg` and `flower.jpg`, half of each, at random places that are fixed and do not repeat.
    The photograph is the mode. Held-out patches lie in stripes of columns that no training patch touches: of five
    sides, three are of training, and two are held out."""

    image_size: Annotated[int, Interval(ge=4, le=96)] = 32
    """Height and width of a patch, in pixels."""
    examples: Annotated[int, Interval(ge=16, le=100_000)] = 10_000
    """Number of training examples; a quarter as many, 1000 at most, are held out."""
    mean: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Number that is subtracted from pixel values: networks see (v / 255 - mean) / std of the byte v."""
    std: Annotated[float, Interval(gt=0, le=10)] = 0.5
    """Number by which pixel values are divided after that; 0.5, with a `mean` of 0.5, gives values in [-1, 1]."""

    judge: ClassVar[str] = "classifier(max_steps=500, target_accuracy=0.97, min_accuracy=0.9)"

    @property
    def spec(self) -> DataSpec:
        return DataSpec(
            shape=(3, self.image_size, self.image_size),
            bounded=within_one(self.mean, self.std),
            train=self.examples,
            modes=2,
            dtype="uint8",
            mean=self.mean,
            std=self.std,
        )

    def load(self) -> Examples:
        from sklearn.datasets import load_sample_image

        photographs = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
        parts = {}
        for part, count in (("train", self.examples), ("heldout", min(self.examples // 4, MAX_HELD_OUT))):
            modes = np.arange(count) % 2
            places = self._places(part)
            parts[part] = np.empty((count, *self.spec.shape), np.uint8)
            for mode, photograph in enumerate(photographs):
                random = stream(0, f"photos-{part}", mode)
                chosen = places[random.choice(len(places), int((modes == mode).sum()), replace=False)]
                windows = np.lib.stride_tricks.sliding_window_view(
                    photograph, (self.image_size, self.image_size), (0, 1)
                )
                parts[part][modes == mode] = windows[chosen[:, 0], chosen[:, 1]]
            parts[f"{part}_modes"] = modes
        return Examples(**parts)

    def _places(self, part: str) -> np.ndarray:
        """All rows and columns of the upper left corners of patches, (n, 2)."""
        columns = np.concatenate([np.arange(left, right - self.image_size + 1) for left, right in self._stripes(part)])
        rows = np.arange(HEIGHT - self.image_size + 1)
        return np.stack([grid.ravel() for grid in np.meshgrid(rows, columns, indexing="ij")], axis=1)

    def _stripes(self, part: str) -> list[tuple[int, int]]:
        """First and last column, exclusive, of each stripe of a part."""
        period, start = (
            sum(STRIPE.values()) * self.image_size,
            0 if part == "train" else STRIPE["train"] * self.image_size,
        )
        starts = range(start, WIDTH - self.image_size + 1, period)
        return [(left, min(left + STRIPE[part] * self.image_size, WIDTH)) for left in starts]
