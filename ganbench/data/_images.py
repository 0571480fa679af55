"""Decoding of images into bytes of one size, for the data sets that read files of images."""

from __future__ import annotations

import math
import os
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

LARGE = 2**30  # bytes of examples that are decoded into a temporary file, not into memory
PART = 256  # images that wait for one another

Resize = Literal["shorter", "stretch", "none"]
Source = TypeVar("Source")


def empty(shape: tuple[int, ...], dtype: np.dtype | type = np.uint8) -> np.ndarray:
    """An array of bytes, or of other numbers, in a temporary file if it is large, which goes when the array does."""
    if math.prod(shape) * np.dtype(dtype).itemsize <= LARGE:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def processors() -> int:
    """The number of processors that this process may use."""
    # Python has no such set on macOS.
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@dataclass
class Rehearsal:
    """A block in which few images are decoded.

    Attributes:
        most: images that one call of `decoded_all` decodes.
        spared: seconds of processor time that the other images would have taken.
    """

    most: int
    spared: float = 0.0


_REHEARSAL: ContextVar[Rehearsal | None] = ContextVar("rehearsal", default=None)


@contextmanager
def rehearsed(most: int) -> Iterator[Rehearsal]:
    """A block in which `decoded_all` decodes a few images, evenly spaced, each of which fills the places of those that
    follow it: what is loaded has the size of the whole data set, so that time and memory can be measured with it.

    Args:
        most: images that one call decodes.
    """
    rehearsal = Rehearsal(most)
    token = _REHEARSAL.set(rehearsal)
    try:
        yield rehearsal
    finally:
        _REHEARSAL.reset(token)


def decoded_all(sources: Sequence[Source], decode: Callable[[Source], np.ndarray], shape: Iterable[int]) -> np.ndarray:
    """Decoded images in the order of their sources, (n, *shape), uint8; a map of a temporary file if they are large.

    Decoders of image files compute without Python's lock, so that as many images are decoded at a time as this process
    has processors. Neither order nor values depend on their number.

    Args:
        sources: what `decode` takes, one for each image.
        decode: returns an image, `shape`, uint8.
        shape: (channels, height, width).
    """
    found, count, rehearsal = empty((len(sources), *shape)), len(sources), _REHEARSAL.get()
    chosen = range(count) if rehearsal is None else range(0, count, max(1, -(-count // rehearsal.most)))
    began = time.process_time()
    with ThreadPoolExecutor(processors()) as pool:
        for start in range(0, len(chosen), PART):  # in parts, since a pool would take all results of its tasks
            rows = chosen[start : start + PART]
            for row, image in zip(rows, pool.map(decode, (sources[row] for row in rows)), strict=True):
                found[row : row + chosen.step] = image
    if rehearsal is not None and count:
        rehearsal.spared += (time.process_time() - began) * (count / len(chosen) - 1)
    return found


def to_bytes(image: Image, shape: tuple[int, int, int], resize: Resize = "shorter", crop: int = 0) -> np.ndarray:
    """An image as bytes of a shape, upright as its EXIF orientation says.

    Colours are those of Pillow's conversion: CMYK becomes RGB, and the colours under transparency are shown. Grey
    levels of 16 bits keep their upper 8.

    Args:
        image: the image.
        shape: (channels, side, side); 1 channel for grey levels, 3 for colours.
        resize: `shorter` scales the shorter edge to the side and crops to the centre; `stretch` scales both edges to
            the side; `none` takes images of this size only.
        crop: pixels of a square at the centre that is cut out first; 0 for none.

    Returns:
        The image, `shape`, uint8.

    Raises:
        ValueError: an image without a largest value, smaller than `crop`, or of another size than `none` takes.
    """
    from PIL import Image as images

    channels, side, _ = shape
    image = _upright(image)
    if image.mode.startswith("I;16"):  # which Pillow would clip at 255
        image = images.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its mode is {image.mode!r}, numbers without a largest one")
    image = image.convert("L" if channels == 1 else "RGB")
    image = _scaled(_centre(image, crop) if crop else image, side, resize)
    return np.asarray(image).reshape(side, side, channels).transpose(2, 0, 1)


def stored(pixels: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Square images as bytes of a shape, as `to_bytes` makes them; as they are if they have it.

    Args:
        pixels: grey levels (n, height, height) or (n, 1, height, height), or colours (n, 3, height, height), uint8.
        shape: (channels, side, side).
    """
    from PIL import Image as images

    planes = pixels[:, None] if pixels.ndim == 3 else pixels
    if planes.shape[1:] == shape:
        return np.ascontiguousarray(planes)

    def decode(image: np.ndarray) -> np.ndarray:
        content = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        return to_bytes(images.fromarray(np.ascontiguousarray(content)), shape)

    return decoded_all(planes, decode, shape)


def _upright(image: Image) -> Image:
    """An image as it was held; as its file has it if the file's EXIF data are damaged, as viewers show it."""
    from PIL import ImageOps

    image.load()  # whose faults are not those of EXIF data
    try:
        return ImageOps.exif_transpose(image)
    except (SyntaxError, struct.error):
        return image


def _scaled(image: Image, side: int, resize: Resize) -> Image:
    from PIL.Image import Resampling

    width, height = image.size
    if resize == "none":
        if (width, height) != (side, side):
            raise ValueError(f"it has {width}x{height} pixels, not {side}x{side}, and resize is 'none'")
        return image
    if resize == "stretch":
        return image.resize((side, side), Resampling.LANCZOS)
    scale = side / min(width, height)
    wide, high = max(side, round(width * scale)), max(side, round(height * scale))
    return _centre(image.resize((wide, high), Resampling.LANCZOS), side)


def _centre(image: Image, side: int) -> Image:
    """The square of this side at the centre of an image."""
    width, height = image.size
    if min(width, height) < side:
        raise ValueError(f"it has {width}x{height} pixels, and crop takes {side} of each edge")
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))
