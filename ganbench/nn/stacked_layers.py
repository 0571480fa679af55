"""Layers of all members of a pack, each as one product of stacked matrices; see `ganbench.nn.stacked`.

Each of the dataclasses is a layer: `alone` computes it for one member, and `together`, its rule for `vmap`, for K of
them at once, in the layout (K, features, batch).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench.nn.windows import Gather, Spread, Window, readers


class Together(torch.autograd.Function):
    """A layer of one member, whose rule for `vmap` is the layer of all members."""

    @staticmethod
    def forward(layer: Any, *tensors: Tensor | None) -> Any:
        return layer.alone(*tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is kept: only the members together are ever differentiated."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple, layer: Any, *tensors: Tensor | None) -> Any:
        stacked = [
            tensor if tensor is None else _members_first(tensor, dim, info.batch_size)
            for tensor, dim in zip(tensors, in_dims[1:], strict=True)
        ]
        outputs = layer.together(*stacked)
        return outputs, (0,) * len(outputs) if isinstance(outputs, tuple) else 0


def _members_first(tensor: Tensor, dim: int | None, members: int) -> Tensor:
    return tensor.expand(members, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


@dataclass(frozen=True)
class Linear:
    """Weights (K, out, in) times inputs (K, batch, in)."""

    def alone(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(x, weight, bias)

    def together(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _LinearFunction.apply(x, weight, bias)


class _LinearFunction(torch.autograd.Function):
    """Inputs (K, n, in) times the transpose of weights (K, out, in), plus biases (K, out).

    As `baddbmm`, but the gradient in the weights has their layout, which spares a transposition of each.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return torch.bmm(x, weight.mT) if bias is None else torch.baddbmm(bias.unsqueeze(1), x, weight.mT)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.biased = inputs[2] is not None

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        needed = ctx.needs_input_grad
        return (
            torch.bmm(gradient, weight) if needed[0] else None,
            torch.bmm(gradient.mT, x) if needed[1] else None,
            gradient.sum(1) if ctx.biased and needed[2] else None,
        )


@dataclass(frozen=True)
class Convolution:
    """A convolution of images (K, batch, channels, height, width) with weights (K, out, channels, *kernel)."""

    stride: tuple[int, int]
    padding: tuple[int, int]

    def alone(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(x, weight, bias, self.stride, self.padding)

    def together(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        window = Window(tuple(x.shape[-2:]), tuple(weight.shape[-2:]), self.stride, self.padding)
        gathered = Gather.apply(_batch_last(x), window)
        outputs = _weighted(weight.flatten(2), gathered.unflatten(2, (window.taps, -1)).flatten(3).flatten(1, 2), bias)
        return _batch_first(outputs.unflatten(2, (window.positions, -1)), window.outputs)


@dataclass(frozen=True)
class TransposedConvolution:
    """The adjoint of a convolution: images (K, batch, channels, height, width), weights (K, channels, out, *kernel)."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    output_padding: tuple[int, int]

    def alone(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv_transpose2d(x, weight, bias, self.stride, self.padding, self.output_padding)

    def together(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        size = grown(tuple(x.shape[-2:]), tuple(weight.shape[-2:]), self.stride, self.padding, self.output_padding)
        window = Window(size, tuple(weight.shape[-2:]), self.stride, self.padding)
        spread = torch.bmm(weight.flatten(2).mT, _batch_last(x).flatten(2))
        channels = weight.shape[2]
        spread = spread.view(len(x), channels, window.taps * window.positions, x.shape[1])
        # Not a view made by `Spread`, which PyTorch would let no module change in place.
        images = spread if readers(window, x.device) is None else Spread.apply(spread, window)
        images = images if bias is None else images + bias[:, :, None, None]
        return _batch_first(images, size)


@dataclass(frozen=True)
class BatchNorm:
    """Normalisation of each channel of (K, batch, channels, ...) by the batch's own mean and variance."""

    epsilon: float

    def alone(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        dims = [dim for dim in range(x.dim()) if dim != 1]
        outputs = F.batch_norm(x, None, None, weight, bias, training=True, eps=self.epsilon)
        return outputs, x.mean(dims), x.var(dims)

    def together(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        members, channels, size = len(x), x.shape[2], tuple(x.shape[3:])
        values = _batch_last(x)
        flat = [None if tensor is None else tensor.reshape(-1) for tensor in (weight, bias)]
        outputs = F.batch_norm(
            values.reshape(1, members * channels, -1), None, None, *flat, training=True, eps=self.epsilon
        )
        with torch.no_grad():
            variance, mean = torch.var_mean(values.flatten(2), 2)
        return _batch_first(outputs.view(values.shape), size), mean, variance


def _weighted(weight: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    """weight (K, out, in) times x (K, in, n), plus bias (K, out)."""
    return torch.bmm(weight, x) if bias is None else torch.baddbmm(bias.unsqueeze(-1), weight, x)


def _batch_last(x: Tensor) -> Tensor:
    """(K, batch, channels, *size) as (K, channels, pixels, batch): without a copy, if a layer here made it."""
    return x.flatten(3).permute(0, 2, 3, 1).contiguous() if x.dim() > 3 else x.unsqueeze(3).permute(0, 2, 3, 1)


def _batch_first(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """(K, channels, pixels, batch) as (K, batch, channels, *size), in the same memory."""
    return x.permute(0, 3, 1, 2).unflatten(3, size) if size else x.permute(0, 3, 1, 2).squeeze(3)


def grown(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    padding: tuple[int, int],
    output_padding: tuple[int, int],
) -> tuple[int, ...]:
    """Height and width of what a transposed convolution makes of images of some size."""
    sides = zip(size, kernel, stride, padding, output_padding, strict=True)
    return tuple((side - 1) * step - 2 * pad + taps + more for side, taps, step, pad, more in sides)
