"""Images of a folder, resized and cropped to squares: class folders for labels, or one flat folder without."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.pixels import within_one
from ganbench.core.random_streams import stream
from ganbench.data import Dataset, DataSpec, Examples
from ganbench.data._broken import broken_images
from ganbench.data._images import decoded_all, to_bytes

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
LOGGER = logging.getLogger("ganbench")


@dataclass(frozen=True)
class ImageFolder(Dataset):
    """Every image is turned upright, as its EXIF orientation says, and scaled so that its shorter edge is `image_size`,
    and cropped to its centre, unless `resize` says otherwise. Grey images, palettes, CMYK and 16 bits a channel are
    taken; floating-point images are refused.

    A random share of the images, the same at every call and a share of each class, is held out. Labels are the class
    folders in alphabetical order, with all images in them, however deep. Its judge is the classifier of labelled images
    for class folders, and random features for a flat folder.
    """

    folder: str = ""
    """Path of the folder."""
    image_size: Annotated[int, Interval(ge=4, le=1024)] = 64
    """Height and width of an image, in pixels."""
    resize: Literal["shorter", "stretch", "none"] = "shorter"
    """How an image becomes square: 'shorter' scales the shorter edge to `image_size` and crops to the centre,
    'stretch' scales both edges, 'none' takes images of this size only."""
    crop: Annotated[int, Interval(ge=0)] = 0
    """Side of a square at the centre that is cut out first, in pixels; 0 for none."""
    channels: Literal[1, 3] = 3
    """Number of channels: 1 for grey levels, 3 for colour."""
    mean: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Number that is subtracted from pixel values: networks see (v / 255 - mean) / std of the byte v."""
    std: Annotated[float, Interval(gt=0, le=10)] = 0.5
    """Number by which pixel values are divided after that; 0.5, with a `mean` of 0.5, gives values in [-1, 1]."""
    heldout_share: Annotated[float, Interval(gt=0, lt=1)] = 0.1
    """Share of the images that is held out; 0.5 for as many as there are to train on."""
    on_bad_files: Literal["error", "skip"] = "error"
    """What is done with files that cannot be read as images: 'error' refuses the folder, 'skip' leaves them out and
    lists them. To skip, all are decoded once; what was found is kept in the folder's hidden file
    .ganbench-decoded.json, where it can be written."""

    @property
    def judge(self) -> str:  # type: ignore[override]
        return "classifier" if self._classes else "random_features"

    @cached_property
    def spec(self) -> DataSpec:
        return DataSpec(
            shape=(self.channels, self.image_size, self.image_size),
            bounded=within_one(self.mean, self.std),
            train=int((~self._held_out).sum()),
            modes=len(self._classes),
            files=tuple(str(path) for path, _ in self._images),
            dtype="uint8",
            mean=self.mean,
            std=self.std,
        )

    def load(self) -> Examples:
        if self._broken:
            LOGGER.warning(
                "data set 'image_folder': skipped %d of %d images of %r, which cannot be read: %s",
                *(len(self._broken), len(self._found), self.folder),
                "; ".join(f"{path}: {why}" for path, why in self._broken.items()),
            )
        labels = np.array([label for _, label in self._images], dtype=np.int64)
        parts: dict[str, np.ndarray | None] = {}
        for part, chosen in (("train", ~self._held_out), ("heldout", self._held_out)):
            indices = np.flatnonzero(chosen)
            paths = [self._images[index][0] for index in indices]
            examples = decoded_all(paths, self._decoded, self.spec.shape)
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
    def _found(self) -> list[tuple[Path, int]]:
        """The path and the class of every file of an image's name, in alphabetical order."""
        folder = Path(self.folder)
        if self._classes:
            return [(path, k) for k, name in enumerate(self._classes) for path in sorted(_images_in(folder / name))]
        return [(path, 0) for path in sorted(_images_in(folder))]

    @cached_property
    def _broken(self) -> dict[Path, str]:
        """The files that are skipped, and why."""
        if self.on_bad_files == "error":
            return {}
        return broken_images(Path(self.folder), [path for path, _ in self._found])

    @cached_property
    def _images(self) -> list[tuple[Path, int]]:
        """The path and the class of every image that is used."""
        found = [(path, label) for path, label in self._found if path not in self._broken]
        if len(found) < 4:
            skipped = f", {len(self._broken)} of which cannot be read" if self._broken else ""
            raise GanbenchError(
                f"data set 'image_folder': the folder {self.folder!r} has {len(self._found)} images{skipped}; it must "
                f"have four or more, whose names end in {', '.join(ENDINGS)}."
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
            held[mine[: max(least, round(self.heldout_share * len(mine)))]] = True
        if lonely := [name for k, name in enumerate(self._classes) if held[labels == k].all()]:
            raise GanbenchError(
                f"data set 'image_folder': class folder {lonely[0]!r} has too few images to hold out a share of "
                f"{self.heldout_share:g} and to train on others."
            )
        return held

    def _decoded(self, path: Path) -> np.ndarray:
        """An image, (channels, side, side), uint8."""
        from PIL import Image

        try:
            with Image.open(path) as image:
                return to_bytes(image, self.spec.shape, self.resize, self.crop)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise GanbenchError(f"data set 'image_folder': {path} cannot be read as an image: {error}.") from None


def _images_in(folder: Path) -> list[Path]:
    """Files of an image's name in a folder and its folders, links among them; none of hidden ones."""
    found: list[Path] = []
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(place, name) for name in files if not name.startswith(".")]
        found += [path for path in paths if _is_image(path)]
    return found


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and path.is_file()
