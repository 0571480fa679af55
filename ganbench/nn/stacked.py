"""Layers of all members of a pack as one product of stacked matrices.

`vmap` alone turns a layer of K members into kernels that suit one network: a product and an addition for each linear
layer, convolutions in K groups. While `StackedLayers` is active within `vmap`, linear layers, convolutions and batch
normalisation are computed in a layout of their own instead, (K, features, batch), in which a layer's outputs are the
next one's inputs as they stand in memory:

- a linear layer is `baddbmm` of weights (K, out, in) and inputs (K, in, batch), whose gradient in the weights has the
  layout of the weights;
- a convolution gathers the inputs under its kernel, (K, channels, taps x positions, batch), and is then such a product.
  Its derivatives of any order are products and gathers too, where those of a convolution in groups are computed group
  by group;
- batch normalisation is that of K x channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode, wrap_torch_function

from ganbench.nn.windows import Gather, Spread, Window, readers

# Gathering copies each input once for every tap that reads it. Larger inputs of a member no longer stay in the cache,
# and a convolution in groups is faster: on one thread, K = 16, batch 32, forward and backward, kernel 4, stride 2, from
# 1 to 16 channels at 8 pixels 1.3 ms against 9.6 as groups, 16 to 32 at 4 pixels 2.3 against 4.9, 3 to 64 at 32 pixels
# 84 against 235, 128 to 256 at 8 pixels 540 against 1,060, but 64 to 128 at 16 pixels 1,100 against 655.
MAX_GATHERED = 1_600_000  # numbers of one member's batch


class StackedLayers(TorchFunctionMode):
    """Computes the layers of all members as products of stacked matrices, while it is active within `vmap`."""

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        stacked = LAYERS.get(function)
        if stacked is not None:
            outputs = stacked(*args, **(kwargs or {}))
            if outputs is not None:
                return outputs
        return function(*args, **(kwargs or {}))


class _Together(torch.autograd.Function):
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
class _Linear:
    """Weights (K, out, in) times inputs (K, batch, in)."""

    def alone(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(x, weight, bias)

    def together(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _Product.apply(x, weight, bias)


class _Product(torch.autograd.Function):
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
class _Convolution:
    """A convolution of images (K, batch, channels, height, width) with weights (K, out, channels, *kernel)."""

    stride: tuple[int, int]
    padding: tuple[int, int]

    def alone(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(x, weight, bias, self.stride, self.padding)

    def together(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        window = Window(tuple(x.shape[-2:]), tuple(weight.shape[-2:]), self.stride, self.padding)
        gathered = Gather.apply(_batch_last(x), window)
        outputs = _product(weight.flatten(2), gathered.unflatten(2, (window.taps, -1)).flatten(3).flatten(1, 2), bias)
        return _batch_first(outputs.unflatten(2, (window.positions, -1)), window.outputs)


@dataclass(frozen=True)
class _TransposedConvolution:
    """The adjoint of a convolution: images (K, batch, channels, height, width), weights (K, channels, out, *kernel)."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    output_padding: tuple[int, int]

    def alone(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv_transpose2d(x, weight, bias, self.stride, self.padding, self.output_padding)

    def together(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        size = _grown(tuple(x.shape[-2:]), tuple(weight.shape[-2:]), self.stride, self.padding, self.output_padding)
        window = Window(size, tuple(weight.shape[-2:]), self.stride, self.padding)
        spread = torch.bmm(weight.flatten(2).mT, _batch_last(x).flatten(2))
        channels = weight.shape[2]
        spread = spread.view(len(x), channels, window.taps * window.positions, x.shape[1])
        # Not a view made by `Spread`, which PyTorch would let no module change in place.
        images = spread if readers(window, x.device) is None else Spread.apply(spread, window)
        images = images if bias is None else images + bias[:, :, None, None]
        return _batch_first(images, size)


@dataclass(frozen=True)
class _BatchNorm:
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


def _product(weight: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    """weight (K, out, in) times x (K, in, n), plus bias (K, out)."""
    return torch.bmm(weight, x) if bias is None else torch.baddbmm(bias.unsqueeze(-1), weight, x)


def _batch_last(x: Tensor) -> Tensor:
    """(K, batch, channels, *size) as (K, channels, pixels, batch): without a copy, if a layer here made it."""
    return x.flatten(3).permute(0, 2, 3, 1).contiguous() if x.dim() > 3 else x.unsqueeze(3).permute(0, 2, 3, 1)


def _batch_first(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """(K, channels, pixels, batch) as (K, batch, channels, *size), in the same memory."""
    return x.permute(0, 3, 1, 2).unflatten(3, size) if size else x.permute(0, 3, 1, 2).squeeze(3)


# Arguments have the names that PyTorch gives them, by which a module may pass them.


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    return _Together.apply(_Linear(), input, weight, bias) if input.dim() == weight.dim() == 2 else None


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    if input.dim() != 4 or groups != 1 or _pair(dilation) != (1, 1) or isinstance(padding, str):
        return None
    window = Window(tuple(input.shape[-2:]), tuple(weight.shape[-2:]), _pair(stride), _pair(padding))
    if not _gathers(window, input.shape[0] * input.shape[1]):
        return None
    return _Together.apply(_Convolution(window.stride, window.padding), input, weight, bias)


def _transposed_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor | None:
    if input.dim() != 4 or groups != 1 or _pair(dilation) != (1, 1):
        return None
    layer = _TransposedConvolution(_pair(stride), _pair(padding), _pair(output_padding))
    kernel = tuple(weight.shape[-2:])
    size = _grown(tuple(input.shape[-2:]), kernel, layer.stride, layer.padding, layer.output_padding)
    if not _gathers(Window(size, kernel, layer.stride, layer.padding), input.shape[0] * weight.shape[1]):
        return None
    return _Together.apply(layer, input, weight, bias)


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    if not training:
        return None
    outputs, mean, variance = _Together.apply(_BatchNorm(eps), input, weight, bias)
    if running_mean is not None and running_var is not None:
        running_mean.lerp_(mean.detach().to(running_mean.dtype), momentum)
        running_var.lerp_(variance.detach().to(running_var.dtype), momentum)
    return outputs


def _grown(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    padding: tuple[int, int],
    output_padding: tuple[int, int],
) -> tuple[int, ...]:
    """Height and width of what a transposed convolution makes of images of some size."""
    sides = zip(size, kernel, stride, padding, output_padding, strict=True)
    return tuple((side - 1) * step - 2 * pad + taps + more for side, taps, step, pad, more in sides)


def _gathers(window: Window, images: int) -> bool:
    """Whether a convolution is a product of what its kernel reads, given the images of a batch, channels and all."""
    return 0 < window.taps * window.positions * images <= MAX_GATHERED


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _overridable(function: Callable[..., Tensor | None]) -> Callable[..., Tensor | None]:
    """A function that modes of PyTorch's Python calls see, such as one that lowers the precision of products."""
    return wrap_torch_function(lambda *args, **kwargs: (*args, *kwargs.values()))(function)


PRODUCTS = {
    F.linear: _overridable(_linear),
    F.conv2d: _overridable(_convolution),
    F.conv_transpose2d: _overridable(_transposed_convolution),
}
LAYERS: dict[Any, Callable[..., Tensor | None]] = PRODUCTS | {F.batch_norm: _batch_norm}
