"""Images on disk, as users have them: folders of PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_images(folder: Path, count: int, *, classes: int = 0, side: int = 12, channels: int = 3) -> Path:
    """Write images that show a bar whose place is their class, on a background of noise.

    Args:
        folder: the folder, which is created.
        count: number of images.
        classes: number of class folders; 0 to write the images into the folder itself.
        side: height of an image, which is a third wider than high.
        channels: 1 for grey or 3 for colour.

    Returns:
        The folder.
    """
    random = np.random.default_rng(0)
    for index in range(count):
        pixels = random.integers(0, 80, (side, side * 4 // 3, channels), dtype=np.uint8)
        kind = index % (classes or 2)
        pixels[kind * side // 4 : kind * side // 4 + 2] = 250
        place = folder / f"class{kind}" if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(place / f"{index:05d}.png")
    return folder
