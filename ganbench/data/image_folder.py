"""Images of a folder, resized and cropped to squares: class folders for labels, or one flat folder without."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.random_streams import stream
from ganbench.data import Dataset, DataSpec, Examples

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
LARGE = 2**30  # bytes of examples that are decoded into a temporary file, not into memory


@dataclass(frozen=True)
class ImageFolder(Dataset):
    """Every image is scaled so that its shorter edge is `side`, and cropped to its centre.

    A random share of the images, the same at every call and a share of each class, is held out. Labels are the class
    folders in alphabetical order, with all images in them, however deep. Its judge is the classifier of labelled images
    for class folders, and random features for a flat folder.
    """

    folder: str = ""  # path of the folder
    side: Annotated[int, Interval(ge=4, le=1024)] = 64  # pixels
    channels: Literal[1, 3] = 3  # grey or colour
    heldout: Annotated[float, Interval(gt=0, lt=1)] = 0.1

    @property
    def judge(self) -> str:  # type: ignore[override]
        return "classifier" if self._classes else "random_features"

    @cached_property
    def spec(self) -> DataSpec:
        return DataSpec(
            shape=(self.channels, self.side, self.side),
            bounded=True,
            train=int((~self._held_out).sum()),
            modes=len(self._classes),
            files=tuple(str(path) for path, _ in self._images),
            dtype="uint8",
        )

    def load(self) -> Examples:
        labels = np.array([label for _, label in self._images], dtype=np.int64)
        parts: dict[str, np.ndarray | None] = {}
        for part, chosen in (("train", ~self._held_out), ("heldout", self._held_out)):
            indices = np.flatnonzero(chosen)
            examples = _empty((len(indices), self.channels, self.side, self.side))
            for row, index in enumerate(indices):
                examples[row] = self._decoded(self._images[index][0])
            parts |= {part: examples, f"{part}_modes": labels[indices] if self._classes else None}
        return Examples(**parts)

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        """Names of the class folders; none of a flat folder."""
        folder = Path(self.folder)
        if not self.folder or not folder.is_dir():
            raise GanbenchError(
                f"data set 'image_folder': its option 'folder' must be the path of a folder of images, but is "
                f"{self.folder!r} (looked in {Path.cwd()})."
            )
        found = [each for each in folder.iterdir() if not each.name.startswith(".")]
        classes = sorted(each.name for each in found if each.is_dir() and any(_images_in(each)))
        if classes and (loose := sorted(each.name for each in found if _is_image(each))):
            raise GanbenchError(
                f"data set 'image_folder': the folder {self.folder!r} has class folders ({', '.join(classes[:3])}) and "
                f"images beside them ({', '.join(loose[:3])}); it must have one or the other."
            )
        return tuple(classes)

    @cached_property
    def _images(self) -> list[tuple[Path, int]]:
        """The path and the class of every image, in alphabetical order."""
        folder = Path(self.folder)
        if self._classes:
            found = [(path, k) for k, name in enumerate(self._classes) for path in sorted(_images_in(folder / name))]
        else:
            found = [(path, 0) for path in sorted(_images_in(folder))]
        if len(found) < 4:
            raise GanbenchError(
                f"data set 'image_folder': the folder {self.folder!r} has {len(found)} images; it must have four or "
                f"more, whose names end in {', '.join(ENDINGS)}."
            )
        return found

    @cached_property
    def _held_out(self) -> np.ndarray:
        """Whether each image is held out: at least one of every class, and at least two in all."""
        labels = np.array([label for _, label in self._images])
        held = np.zeros(len(labels), dtype=bool)
        least = 1 if len(self._classes) > 1 else 2
        for label in np.unique(labels):
            mine = stream(0, "image_folder", int(label)).permutation(np.flatnonzero(labels == label))
            held[mine[: max(least, round(self.heldout * len(mine)))]] = True
        if lonely := [name for k, name in enumerate(self._classes) if held[labels == k].all()]:
            raise GanbenchError(
                f"data set 'image_folder': class folder {lonely[0]!r} has too few images to hold out a share of "
                f"{self.heldout:g} and to train on others."
            )
        return held

    def _decoded(self, path: Path) -> np.ndarray:
        """An image, (channels, side, side), uint8."""
        from PIL import Image

        try:
            with Image.open(path) as opened:
                image = opened
                if image.mode.startswith("I;16"):  # which Pillow would clip at 255
                    image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
                if image.mode in ("I", "F"):
                    raise ValueError(f"its mode is {image.mode!r}, numbers without a largest one")
                square = _square(image.convert("L" if self.channels == 1 else "RGB"), self.side)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise GanbenchError(f"data set 'image_folder': {path} cannot be read as an image: {error}.") from None
        return np.asarray(square).reshape(self.side, self.side, self.channels).transpose(2, 0, 1)


def _images_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if _is_image(path) and not path.name.startswith(".")]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and path.is_file()


def _square(image: Image, side: int) -> Image:
    """The image, scaled so that its shorter edge is `side`, and cropped to its centre."""
    from PIL.Image import Resampling

    width, height = image.size
    scale = side / min(width, height)
    wide, high = max(side, round(width * scale)), max(side, round(height * scale))
    left, top = (wide - side) // 2, (high - side) // 2
    return image.resize((wide, high), Resampling.LANCZOS).crop((left, top, left + side, top + side))


def _empty(shape: tuple[int, ...]) -> np.ndarray:
    """An array of bytes, in a temporary file if it is large, which goes when the array does."""
    if math.prod(shape) <= LARGE:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)
