"""Max pooling of 2x2 windows that tells where each maximum stood, and its inverse.

PyTorch's MaxPool2d tells the place in the whole image, 8 bytes for each window. `vmap` has a rule for it, but computes
MaxUnpool2d for one member after the other. Here a window's *corner* is 0 (upper left), 1 (upper right), 2 or 3 (lower
right), one byte, and unpooling is elementwise.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CORNERS = 4  # of a window


def pool(images: Tensor) -> tuple[Tensor, Tensor]:
    """The maximum of each 2x2 window, and its corner.

    Args:
        images: (batch, channels, height, width), height and width even.

    Returns:
        The maxima, (batch, channels, height / 2, width / 2), and their corners, the same shape, uint8. The first of
        several equal values counts, as in MaxPool2d.
    """
    maxima, places = F.max_pool2d(images, 2, return_indices=True)
    width = images.shape[-1]
    # Columns of an even width are even exactly where places are.
    return maxima, (places // width % 2 * 2 + places % 2).to(torch.uint8)


def unpool(values: Tensor, corners: Tensor) -> Tensor:
    """Images that hold each value at its corner of a 2x2 window, and zero elsewhere, as those of MaxUnpool2d.

    Args:
        values: (batch, channels, height, width).
        corners: the corner of each value, the same shape.

    Returns:
        Images, (batch, channels, 2 height, 2 width).
    """
    spread = torch.stack([torch.where(corners == corner, values, 0.0) for corner in range(CORNERS)], dim=-1)
    rows = spread.unflatten(-1, (2, 2)).transpose(-3, -2)  # (batch, channels, height, 2, width, 2)
    return rows.flatten(-2).flatten(-3, -2)
