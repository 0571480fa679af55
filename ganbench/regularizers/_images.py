"""Changes of images that are drawn for every image, differentiable, and computed for all members at once.

Images are (K, n, channels, height, width); what is drawn for an image is (K, n). An image is moved by two products with
matrices, one for rows and one for columns: these have derivatives of every order, and on a GPU the same bits at every
call, which the gradient of an indexing has not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganbench.core.pixels import MEAN, STD, is_default


def range_fault(game: Any) -> str | None:
    """Why changes cannot be made in a game, as a clause, since networks see its images in another range than [-1, 1]:
    0 would not be the middle grey, nor a shift as large a part of the range. None if they can."""
    data = getattr(game, "data", None)
    if data is None or is_default(data.mean, data.std):
        return None
    return (
        f"its changes are made for images in [-1, 1], of a data set with mean={MEAN} and std={STD}, but this one has "
        f"mean={data.mean} and std={data.std}"
    )


def integers(uniform: Tensor, largest: int) -> Tensor:
    """Whole numbers from -largest to largest, equally likely, from uniform numbers in [0, 1)."""
    return ((2 * largest + 1) * uniform).floor().clamp(max=2 * largest) - largest


def brightened(images: Tensor, shift: Tensor) -> Tensor:
    """Images whose values are shifted."""
    return images + _of_images(shift)


def contrasted(images: Tensor, factor: Tensor, centre: Tensor | float) -> Tensor:
    """Images whose values lie a factor as far from a centre."""
    return centre + (images - centre) * _of_images(factor)


def saturated(images: Tensor, factor: Tensor) -> Tensor:
    """Images whose channels lie a factor as far from their mean at a pixel; a single channel is its own mean."""
    return contrasted(images, factor, images.mean(2, keepdim=True))


def hue_rotated(images: Tensor, angle: Tensor) -> Tensor:
    """Images whose colours, (red, green, blue) at a pixel, are rotated by an angle around the axis of greys."""
    grey = images.mean(2, keepdim=True)
    # The cross product of the axis (1, 1, 1) / sqrt(3) with the colour.
    across = (images.roll(1, dims=2) - images.roll(-1, dims=2)) / 3**0.5
    return grey + (images - grey) * _of_images(angle.cos()) + across * _of_images(angle.sin())


def chosen(where: Tensor, images: Tensor, others: Tensor) -> Tensor:
    """The images, or the others where a condition holds."""
    return torch.where(_of_images(where), others, images)


def pixels(size: int, like: Tensor) -> Tensor:
    """The positions of rows or columns of pixels, (size,)."""
    return torch.arange(size, dtype=like.dtype, device=like.device)


def reflected(positions: Tensor, size: int) -> Tensor:
    """Positions within an image of `size` rows that its mirror images at the outermost rows continue."""
    if size == 1:
        return torch.zeros_like(positions)
    return (size - 1) - (positions.remainder(2 * (size - 1)) - (size - 1)).abs()


def resampled(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Images whose pixels are those at other positions, between pixels by linear interpolation; 0 outside.

    Args:
        images: the images.
        rows, columns: the positions from which rows and columns come, (K, n, height) and (K, n, width).
    """
    # The share of each pixel in the value at a position, (K, n, 1, size, size).
    down, across = (
        (1 - (positions[..., None] - pixels(positions.shape[-1], positions)).abs()).clamp(min=0)[:, :, None]
        for positions in (rows, columns)
    )
    return down @ images @ across.mT


def shifted(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Images moved by whole numbers of pixels, with 0 where nothing comes from."""
    height, width = images.shape[-2:]
    return resampled(images, pixels(height, images) - rows[..., None], pixels(width, images) - columns[..., None])


def cut_out(images: Tensor, rows: Tensor, columns: Tensor, ratio: float) -> Tensor:
    """Images with 0 in a rectangle of a share of their height and width, whose centre is anywhere in the image.

    Args:
        images: the images.
        rows, columns: uniform numbers in [0, 1) that place the rectangle, part of which may lie outside.
        ratio: the share.
    """
    inside = []
    for uniform, size in zip((rows, columns), images.shape[-2:], strict=True):
        side = int(size * ratio + 0.5)
        after = pixels(size, images) - _first(uniform, size, side)[..., None]
        inside.append((after >= 0) & (after < side))
    cut = inside[0][..., :, None] & inside[1][..., None, :]
    return torch.where(cut[:, :, None], 0.0, images)


def _first(uniform: Tensor, size: int, side: int) -> Tensor:
    """The first row of a rectangle, as Zhao et al. (2020) place it: its centre is one of `size` rows, or of `size` + 1
    edges between rows if it has an even number of rows."""
    places = size + 1 - side % 2
    return (places * uniform).floor().clamp(max=places - 1) - side // 2


def _of_images(values: Tensor) -> Tensor:
    return values[..., None, None, None]
