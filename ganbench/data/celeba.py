"""CelebA, 162,770 aligned photographs of faces to train on and 19,962 held out, in colour, without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Archive, Dataset, DataSpec, Examples
from ganbench.data._images import decoded_all, to_bytes
from ganbench.data._torchvision import archives_in, image_spec, unpacked

SIZES = {"train": 162_770, "test": 19_962}
FILES = (
    ("img_align_celeba.zip", "00d2c5bc6d35e252742224ab0c1e8fcb"),
    ("list_eval_partition.txt", "d32c9cbf5e040fd4025c592c306e6668"),
    ("list_attr_celeba.txt", "75e246fa4810816ffd6ee81facbd244c"),
    ("identity_CelebA.txt", "32bd1bd63d3c78cd57e08160ec5ed1e2"),
    ("list_bbox_celeba.txt", "00566efa6fedff7a56946cd1c10f1c16"),
    ("list_landmarks_align_celeba.txt", "cc24ecafdb5b50baae59b03474781f8c"),
)


@dataclass(frozen=True)
class Celeba(Dataset):
    """The aligned faces of Liu et al. (2015), 178x218 pixels, in the official parts `train` and `test`, read by
    torchvision. A square at the centre is cut out and scaled: 160 pixels to 64, as Lucic et al. (2018) do.

    Its publisher hands out the files by a browser only, so they must be put into the folder by hand. Reading them takes
    1.5 GB of the folder of temporary files.
    """

    folder: str = ""
    """Folder of img_align_celeba.zip and of five lists, which torchvision reads; '' for data/celeba."""
    image_size: Annotated[int, Interval(ge=4, le=178)] = 64
    """Height and width of an image, in pixels."""
    crop: Annotated[int, Interval(ge=4, le=178)] = 160
    """Side of the square that is cut out at the centre before scaling, in pixels."""
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
        return image_spec(shape, SIZES["train"], 0, self.mean, self.std, self._archives)

    def load(self) -> Examples:
        from torchvision.datasets import CelebA

        shape = self.spec.shape
        with unpacked("celeba", self._archives, into="celeba") as root:

            def part(split: str) -> np.ndarray:
                faces = CelebA(str(root), split=split, target_type=[])
                return decoded_all(range(len(faces)), lambda i: to_bytes(faces[i][0], shape, crop=self.crop), shape)

            return Examples(part("train"), None, part("test"), None)

    @property
    def _archives(self) -> tuple[Archive, ...]:
        return archives_in(self.folder, "celeba", "", FILES)
