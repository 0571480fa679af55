"""Resampling of feature maps by two with the filter (1, 3, 3, 1), as StyleGAN2 and R3GAN do.

It is that of upfirdn2d (Karras et al. 2020, StyleGAN2), whose images are zero outside. The filter is the product of one
along the rows and one along the columns, each a sum of shifted maps: PyTorch's vmap, and derivatives of any order, are
those of additions. Upsampling is bilinear interpolation but for the border; downsampling is its adjoint, divided by 4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad


def upsampled(x: Tensor) -> Tensor:
    """Feature maps of twice the height and width.

    Args:
        x: feature maps, (batch, channels, height, width).
    """
    return _columns(_up_rows, _up_rows(x))


def downsampled(x: Tensor) -> Tensor:
    """Feature maps of half the height and width, which are even.

    Args:
        x: feature maps, (batch, channels, height, width).
    """
    return _columns(_down_rows, _down_rows(x))


def blurred(x: Tensor, padding: int) -> Tensor:
    """Means of four by four pixels, with the weights of the filter.

    Args:
        x: feature maps, (batch, channels, height, width).
        padding: number of rows and columns of zeros that are added on each side.

    Returns:
        Feature maps of height + 2 padding - 3 and width + 2 padding - 3.
    """
    return _columns(_blur_rows, _blur_rows(pad(x, (padding,) * 4)))


def _columns(of_rows: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return of_rows(x.mT).mT


def _up_rows(x: Tensor) -> Tensor:
    """Row i makes rows 2i - 1 to 2i + 2, with weights 1/4, 3/4, 3/4, 1/4."""
    before, after = pad(x, (0, 0, 1, 0))[..., :-1, :], pad(x, (0, 0, 0, 1))[..., 1:, :]
    near = 0.75 * x
    return torch.stack([near + 0.25 * before, near + 0.25 * after], dim=-2).flatten(-3, -2)


def _down_rows(x: Tensor) -> Tensor:
    """Rows 2i - 1 to 2i + 2 make row i, with weights 1/8, 3/8, 3/8, 1/8."""
    even, odd = x.unflatten(-2, (-1, 2)).unbind(-2)
    before, after = pad(odd, (0, 0, 1, 0))[..., :-1, :], pad(even, (0, 0, 0, 1))[..., 1:, :]
    return 0.375 * (even + odd) + 0.125 * (before + after)


def _blur_rows(x: Tensor) -> Tensor:
    """Rows i to i + 3 make row i, with weights 1/8, 3/8, 3/8, 1/8."""
    rows = x.shape[-2] - 3
    first, second, third, fourth = (x.narrow(-2, start, rows) for start in range(4))
    return 0.375 * (second + third) + 0.125 * (first + fourth)
