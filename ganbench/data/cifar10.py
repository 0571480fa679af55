"""CIFAR-10, 50,000 small photographs to train on and 10,000 held out, 32x32 pixels in colour, ten classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Archive, Dataset, DataSpec, Examples
from ganbench.data._images import stored
from ganbench.data._torchvision import archives_in, image_spec, unpacked

SIZES = {"train": 50_000, "heldout": 10_000}
CLASSES = 10
URL = "https://www.cs.toronto.edu/~kriz/"
FILES = (("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),)


@dataclass(frozen=True)
class Cifar10(Dataset):
    """The photographs of Krizhevsky (2009), in the published archive, read by torchvision. Small classifiers err too
    often to count its classes, so the judge is random features; `classifier(min_accuracy=0.6)` counts roughly."""

    folder: str = ""
    """Folder of cifar-10-python.tar.gz; '' for data/cifar10."""
    image_size: Annotated[int, Interval(ge=4, le=256)] = 32
    """Height and width of an image, in pixels; other sides than the published one are scaled by a Lanczos filter."""
    channels: Literal[1, 3] = 3
    """Number of channels: 1 for grey levels, 3 for colour."""
    mean: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Number that is subtracted from pixel values: networks see (v / 255 - mean) / std of the byte v."""
    std: Annotated[float, Interval(gt=0, le=10)] = 0.5
    """Number by which pixel values are divided after that; 0.5, with a `mean` of 0.5, gives values in [-1, 1]."""

    judge: ClassVar[str] = "random_features"

    @property
    def spec(self) -> DataSpec:
        shape = (self.channels, self.image_size, self.image_size)
        return image_spec(shape, SIZES["train"], CLASSES, self.mean, self.std, self._archives)

    def load(self) -> Examples:
        from torchvision.datasets import CIFAR10

        parts: dict[str, np.ndarray] = {}
        with unpacked("cifar10", self._archives) as root:
            for part in SIZES:
                known = CIFAR10(root, train=part == "train")
                pixels = known.data.transpose(0, 3, 1, 2)
                parts[part] = stored(pixels, self.spec.shape)
                parts[f"{part}_modes"] = np.array(known.targets, dtype=np.int64)
        return Examples(**parts)

    @property
    def _archives(self) -> tuple[Archive, ...]:
        return archives_in(self.folder, "cifar10", URL, FILES)
