"""What the kernel of a convolution reads: gathered for all members of a pack, and its adjoint.

Images have the layout (K, channels, pixels, batch), in which gathering pixels copies rows of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """The pixels that a kernel reads: those of an image of some size, under each tap at each position."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @property
    def outputs(self) -> tuple[int, int]:
        """Height and width of the outputs."""
        sides = zip(self.size, self.kernel, self.stride, self.padding, strict=True)
        return tuple((size + 2 * padding - kernel) // stride + 1 for size, kernel, stride, padding in sides)

    @property
    def taps(self) -> int:
        return prod(self.kernel)

    @property
    def positions(self) -> int:
        return prod(self.outputs)


@lru_cache(maxsize=256)
def _pixels(window: Window, device: torch.device) -> Tensor | None:
    """The pixel under each tap at each position, (taps x positions,); the number of pixels where that is padding. None
    if these are all pixels in their order."""
    pixels = _pixel_numbers(window)
    alike = np.array_equal(pixels, np.arange(prod(window.size)))
    return None if alike else torch.from_numpy(pixels).to(device)


@lru_cache(maxsize=256)
def readers(window: Window, device: torch.device) -> Tensor | None:
    """The taps at positions that read a pixel, (most readers of a pixel, pixels); their number where there are no
    more. None if these are all of them in their order."""
    pixels = _pixel_numbers(window)
    order = np.argsort(pixels, kind="stable")
    sorted_pixels = pixels[order]
    count = np.bincount(pixels, minlength=prod(window.size) + 1)
    rank = np.arange(len(pixels)) - (np.cumsum(count) - count)[sorted_pixels]
    inside = sorted_pixels < prod(window.size)
    table = np.full((count[:-1].max(initial=1), prod(window.size)), len(pixels))
    table[rank[inside], sorted_pixels[inside]] = order[inside]
    alike = np.array_equal(table, np.arange(len(pixels))[None])
    return None if alike else torch.from_numpy(table).to(device)


def _pixel_numbers(window: Window) -> np.ndarray:
    (height, width), (rows, columns) = window.size, window.outputs
    down = np.arange(window.kernel[0])[:, None] + window.stride[0] * np.arange(rows) - window.padding[0]
    right = np.arange(window.kernel[1])[:, None] + window.stride[1] * np.arange(columns) - window.padding[1]
    down, right = down[:, None, :, None], right[None, :, None, :]
    inside = (down >= 0) & (down < height) & (right >= 0) & (right < width)
    return np.where(inside, down * width + right, height * width).reshape(-1)


class Gather(torch.autograd.Function):
    """The pixels (K, channels, pixels, batch) under a window, (K, channels, taps x positions, batch)."""

    @staticmethod
    def forward(x: Tensor, window: Window) -> Tensor:
        pixels = _pixels(window, x.device)
        if pixels is None:
            return x.view_as(x)
        return (F.pad(x, (0, 0, 0, 1)) if any(window.padding) else x).index_select(2, pixels)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Window], output: Tensor) -> None:
        ctx.window = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return Spread.apply(gradient, ctx.window), None


class Spread(torch.autograd.Function):
    """The adjoint of `Gather`: every pixel's sum over the taps at positions that read it."""

    @staticmethod
    def forward(x: Tensor, window: Window) -> Tensor:
        taps = readers(window, x.device)
        if taps is None:
            return x.view_as(x)
        # A sum in float32 of what is lower, as convolutions add.
        kind = torch.promote_types(x.dtype, torch.float32)
        padded = F.pad(x, (0, 0, 0, 1))
        total = padded.index_select(2, taps[0]).to(kind)
        for row in taps[1:]:
            total = total + padded.index_select(2, row)
        return total.to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Window], output: Tensor) -> None:
        ctx.window = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return Gather.apply(gradient, ctx.window), None
