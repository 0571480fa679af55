"""Oxford 102 Flowers, 7,169 photographs to train on and 1,020 held out, in colour, 102 classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Archive, Dataset, DataSpec, Examples
from ganbench.data._images import decoded_all, to_bytes
from ganbench.data._torchvision import archives_in, image_spec, unpacked

# The official part `test` is six times as large as `train`, so that GANs are trained on both; `val` is held out.
PARTS = {"train": ("train", "test"), "heldout": ("val",)}
SIZES = {"train": 7_169, "heldout": 1_020}
CLASSES = 102
URL = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
FILES = (
    ("102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"),
    ("imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
    ("setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
)


@dataclass(frozen=True)
class Flowers102(Dataset):
    """The flowers of Nilsback and Zisserman (2008), in their published files, read by torchvision. Photographs are of
    many sizes; the shorter edge has 500 pixels or more."""

    folder: str = ""
    """Folder of the three files as published; '' for data/flowers102."""
    image_size: Annotated[int, Interval(ge=4, le=500)] = 64
    """Height and width of an image, in pixels."""
    resize: Literal["shorter", "stretch"] = "shorter"
    """How an image becomes square: 'shorter' scales the shorter edge to `image_size` and crops to the centre,
    'stretch' scales both edges."""
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
        from torchvision.datasets import Flowers102 as Flowers

        shape, resize = self.spec.shape, self.resize
        found: dict[str, np.ndarray] = {}
        with unpacked("flowers102", self._archives, into="flowers-102") as root:
            for name, splits in PARTS.items():
                known = [Flowers(root, split) for split in splits]
                places = [(part, index) for part in known for index in range(len(part))]
                found[name] = decoded_all(places, lambda at: to_bytes(at[0][at[1]][0], shape, resize), shape)
                # Under no other name: __getitem__ would decode the photographs again.
                labels = [label for part in known for label in part._labels]
                found[f"{name}_modes"] = np.array(labels, dtype=np.int64)
        return Examples(**found)

    @property
    def _archives(self) -> tuple[Archive, ...]:
        return archives_in(self.folder, "flowers102", URL, FILES)
