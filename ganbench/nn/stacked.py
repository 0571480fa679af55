"""PyTorch's layers under `vmap`, computed for all members of a pack as one product of stacked matrices.

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
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode, wrap_torch_function

from ganbench.nn.stacked_layers import BatchNorm, Convolution, Linear, Together, TransposedConvolution, grown
from ganbench.nn.windows import Window

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


# Arguments have the names that PyTorch gives them, by which a module may pass them.


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    return Together.apply(Linear(), input, weight, bias) if input.dim() == weight.dim() == 2 else None


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
    return Together.apply(Convolution(window.stride, window.padding), input, weight, bias)


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
    layer = TransposedConvolution(_pair(stride), _pair(padding), _pair(output_padding))
    kernel = tuple(weight.shape[-2:])
    size = grown(tuple(input.shape[-2:]), kernel, layer.stride, layer.padding, layer.output_padding)
    if not _gathers(Window(size, kernel, layer.stride, layer.padding), input.shape[0] * weight.shape[1]):
        return None
    return Together.apply(layer, input, weight, bias)


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
    outputs, mean, variance = Together.apply(BatchNorm(eps), input, weight, bias)
    if running_mean is not None and running_var is not None:
        running_mean.lerp_(mean.detach().to(running_mean.dtype), momentum)
        running_var.lerp_(variance.detach().to(running_var.dtype), momentum)
    return outputs


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
