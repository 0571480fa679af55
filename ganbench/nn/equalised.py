"""Layers with an equalised learning rate (Karras et al. 2018, progressive growing, section 4.1).

Parameters start at N(0, 1) and are scaled in every pass by the deviation that He's initialisation would start from, so
that optimizers whose steps do not depend on the gradient's scale, such as Adam, move all layers at one relative rate.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear

SLOPE, GAIN = 0.2, math.sqrt(2)  # of StyleGAN's leaky ReLU


class EqualisedLinear(nn.Module):
    """x W^T m / sqrt(inputs) + m b, with m the `lr_multiplier` and W from N(0, 1 / m^2).

    Args:
        inputs, outputs: number of features.
        bias_init: value that m b starts from.
        lr_multiplier: learning rate of weights and biases, relative to that of other layers.
    """

    def __init__(self, inputs: int, outputs: int, *, bias_init: float = 0.0, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias_init / lr_multiplier))
        self._gain, self._lr_multiplier = lr_multiplier / math.sqrt(inputs), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """Features (batch, inputs) to (batch, outputs)."""
        return linear(x, self.weight * self._gain, self.bias * self._lr_multiplier)


class EqualisedConv2d(nn.Module):
    """A convolution with weights W / sqrt(inputs x kernel^2), with W from N(0, 1), and biases from 0.

    Args:
        inputs, outputs: number of channels.
        kernel: side of the kernel.
        stride, padding: as of PyTorch's convolutions.
        bias: whether there are biases.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self._gain, self._stride, self._padding = 1 / math.sqrt(inputs * kernel**2), stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (batch, inputs, height, width) to (batch, outputs, ...)."""
        return conv2d(x, self.weight * self._gain, self.bias, self._stride, self._padding)


def activated(x: Tensor) -> Tensor:
    """Leaky ReLU with slope 0.2 for negative values, times sqrt(2)."""
    return GAIN * leaky_relu(x, SLOPE)
