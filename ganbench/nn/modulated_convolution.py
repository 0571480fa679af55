"""Convolutions whose kernels are scaled for each example by its style (Karras et al. 2020, StyleGAN2, section 2.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from ganbench.nn.equalised import EqualisedLinear
from ganbench.nn.resampling import blurred

EPSILON = 1e-8  # beside the squared norm of a kernel


class ModulatedConv2d(nn.Module):
    """w_oik s_i / sqrt(sum_ik (w_oik s_i)^2 + epsilon) as the kernel of an example with the scales s_i (equations 1 and
    3), an affine function of its style that starts around one.

    The inputs are multiplied by s_i and the outputs divided by the norm, which is the same, since a convolution is
    linear: all examples share one kernel then, where a convolution with one for each takes as many groups.

    Args:
        narrow, wide: channels of inputs and outputs.
        kernel: side of the kernel, odd.
        style_size: number of values of a style.
        demodulate: whether kernels are divided by their norm; otherwise by the square root of their number of weights.
        up: whether the side is doubled by a transposed convolution and the filter (1, 3, 3, 1). The kernel is 3x3 then.
    """

    def __init__(
        self, narrow: int, wide: int, kernel: int, style_size: int, *, demodulate: bool = True, up: bool = False
    ) -> None:
        super().__init__()
        self.scales = EqualisedLinear(style_size, narrow, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(wide, narrow, kernel, kernel))
        self._gain = None if demodulate else 1 / math.sqrt(narrow * kernel**2)
        self._up, self._padding = up, kernel // 2

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Feature maps (batch, narrow, height, width) and styles (batch, style_size) to (batch, wide, ...)."""
        scales = self.scales(style)
        if self._gain is not None:
            scales = scales * self._gain
        x = x * scales[:, :, None, None]
        if self._up:  # by twice the zeros between pixels in each direction, to be made up for by the filter
            x = 4 * blurred(conv_transpose2d(x, self.weight.transpose(0, 1), stride=2), 1)
        else:
            x = conv2d(x, self.weight, padding=self._padding)
        if self._gain is not None:
            return x
        squares = scales.square() @ self.weight.square().sum((2, 3)).T
        return x * (squares + EPSILON).rsqrt()[:, :, None, None]
