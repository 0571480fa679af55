"""LSUN churches, 126,227 photographs to train on and 300 held out, in colour, without labels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from ganbench.core.interval import Interval
from ganbench.data import Archive, Dataset, DataSpec, Examples
from ganbench.data._images import decoded_all, to_bytes
from ganbench.data._torchvision import archives_in, image_spec, unpacked

SIZES = {"train": 126_227, "val": 300}
URL = "http://dl.yf.io/lsun/scenes/"
FILES = (
    ("church_outdoor_train_lmdb.zip", "91128ae026840ac0c5982b4445ab5fc4e092d6847cca76793b2b1a0815c2e74a"),
    ("church_outdoor_val_lmdb.zip", "34635b7547a3e51a15f942a4a4082dd6bc9cca381a953515cb2275c0eed50584"),
)


@dataclass(frozen=True)
class Lsun(Dataset):
    """The category `church_outdoor` of Yu et al. (2015), whose images have 256 pixels on the shorter edge, in the order
    of their keys. The files are databases of LMDB.

    torchvision's class is not used: it leaves a pickled list of keys in the working folder, and reads one that is
    there.
    """

    folder: str = ""
    """Folder of the two files; '' for data/lsun."""
    image_size: Annotated[int, Interval(ge=4, le=256)] = 64
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
        return image_spec(shape, SIZES["train"], 0, self.mean, self.std, self._archives)

    def load(self) -> Examples:
        with unpacked("lsun", self._archives) as root:
            train, heldout = (self._read(root / f"church_outdoor_{part}_lmdb") for part in SIZES)
        return Examples(train, None, heldout, None)

    def _read(self, database: Path) -> np.ndarray:
        import lmdb
        from PIL import Image

        shape = self.spec.shape
        try:
            with lmdb.open(str(database), readonly=True, lock=False, create=False) as opened, opened.begin() as reading:
                keys = list(reading.cursor().iternext(keys=True, values=False))

                def decode(key: bytes) -> np.ndarray:
                    with opened.begin(buffers=False) as own:  # a transaction belongs to one thread
                        return to_bytes(Image.open(io.BytesIO(own.get(key))), shape, self.resize)

                return decoded_all(keys, decode, shape)
        except lmdb.Error as error:
            raise ValueError(f"{database.name}: {error}") from None

    @property
    def _archives(self) -> tuple[Archive, ...]:
        return archives_in(self.folder, "lsun", URL, FILES)
