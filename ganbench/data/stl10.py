"""STL-10, photographs of 96x96 pixels in colour: 100,000 without labels, or 5,000 of ten classes; 8,000 held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Archive, Dataset, DataSpec, Examples
from ganbench.data._images import stored
from ganbench.data._torchvision import archives_in, image_spec, unpacked

SIZES = {"unlabeled": 100_000, "train": 5_000, "test": 8_000}
CLASSES = 10
URL = "http://ai.stanford.edu/~acoates/stl10/"
FILES = (("stl10_binary.tar.gz", "91f7769df0f17e558f3565bffb0c7dfb"),)


@dataclass(frozen=True)
class Stl10(Dataset):
    """The photographs of Coates, Lee and Ng (2011), in the published archive, read by torchvision. GANs are mostly
    trained on those without labels, at 48 pixels (Miyato et al. 2018). Held out are those of the test part.

    Reading the part without labels takes 3 GB of memory and as much of the folder of temporary files.
    """

    folder: str = ""
    """Folder of stl10_binary.tar.gz; '' for data/stl10."""
    split: Literal["unlabeled", "train"] = "unlabeled"
    """Photographs to train on: 'unlabeled', 100,000 without labels, or 'train', 5,000 of ten classes."""
    image_size: Annotated[int, Interval(ge=4, le=256)] = 96
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
        shape, modes = (self.channels, self.image_size, self.image_size), CLASSES if self.split == "train" else 0
        return image_spec(shape, SIZES[self.split], modes, self.mean, self.std, self._archives)

    def load(self) -> Examples:
        from torchvision.datasets import STL10

        parts: dict[str, np.ndarray | None] = {"train_modes": None, "heldout_modes": None}
        with unpacked("stl10", self._archives) as root:
            for name, split in (("train", self.split), ("heldout", "test")):
                known = STL10(root, split=split)
                parts[name] = stored(known.data, self.spec.shape)
                if self.split == "train":
                    parts[f"{name}_modes"] = known.labels.astype(np.int64)
        return Examples(**parts)

    @property
    def _archives(self) -> tuple[Archive, ...]:
        return archives_in(self.folder, "stl10", URL, FILES)
