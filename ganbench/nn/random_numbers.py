"""Random numbers that networks draw in a forward pass, from each member's own stream.

A network asks PyTorch's global generator, as any module does: `nn.Dropout`, `torch.randn_like`. While a `RandomNumbers`
is active, these calls are answered from a stream that is a function of a key instead, so that a member draws the same
numbers alone and among others, on every device, and after an interruption.

The stream is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): number i of a
key is mix(key + i * GAMMA), computed in 64-bit integers, element by element. PyTorch's own generators have one state
for all members, which `vmap` cannot split.
"""

from __future__ import annotations

import math
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

MODULUS = 1 << 64
PRECISION = {torch.float32: 24, torch.float16: 11, torch.bfloat16: 8}  # bits of a significand; double precision has 53
GAMMA = 0x9E3779B97F4A7C15


def _signed(value: int) -> int:
    """The 64-bit pattern of an integer as PyTorch's int64 holds it."""
    return (value + (1 << 63)) % MODULUS - (1 << 63)


def mix(z: Tensor) -> Tensor:
    """The output function of SplitMix64, element by element.

    Args:
        z: int64.

    Returns:
        int64 of the same shape.
    """
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ _shifted(z, shift)) * _signed(factor)
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """A shift to the right that fills up with zeros; PyTorch's fills up with the sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def subkey(key: Tensor, index: int) -> Tensor:
    """The key of the stream with an index, of those that belong to a key."""
    return mix(key + _signed((index + 1) * GAMMA))


def uniform(key: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Numbers that are uniform in [0, 1): multiples of 2^-53, of 2^-24 in single precision, and so on in lower ones.

    Args:
        key: a scalar, int64.
        shape: shape of the numbers.
        dtype: their precision.
    """
    count = torch.arange(1, math.prod(shape) + 1, dtype=torch.int64, device=key.device)
    bits = PRECISION.get(dtype, 53)
    return (_shifted(mix(key + count * _signed(GAMMA)), 64 - bits).to(dtype) * 2.0**-bits).view(shape)


def normal(key: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Numbers from a standard normal distribution, by Box and Muller's transform."""
    radius = (-2 * torch.log1p(-uniform(subkey(key, 0), shape, torch.float64))).sqrt()
    return (radius * torch.cos(2 * math.pi * uniform(subkey(key, 1), shape, torch.float64))).to(dtype)


class RandomNumbers(TorchFunctionMode):
    """Answers a network's calls for random numbers from the stream of a key while it is active.

    Args:
        key: a scalar, int64; within `vmap` the member's own.

    Attributes:
        drawn: number of calls for random numbers that were answered.
        answered: number of all calls that were answered here.
    """

    def __init__(self, key: Tensor) -> None:
        super().__init__()
        self._key, self.drawn, self.answered = key, 0, 0

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if function in ANSWERS and kwargs.get("generator") is None:  # a module's own generator is its own matter
            self.answered += 1
            return ANSWERS[function](self, *args, **kwargs)
        if function is F.normalize and kwargs.get("out") is not None:
            # vmap has no rule for out=, with which spectral_norm's power iteration writes its buffers.
            self.answered += 1
            out = kwargs.pop("out")
            return out.copy_(function(*args, **kwargs))
        return function(*args, **kwargs)

    def next_key(self) -> Tensor:
        """The key of the next call's numbers."""
        self.drawn += 1
        return subkey(self._key, self.drawn)


def _dropout(numbers: RandomNumbers, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    return _masked(numbers, x, x.shape, p, training, inplace)


def _channel_dropout(
    numbers: RandomNumbers, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    return _masked(numbers, x, (*x.shape[:2], *(1 for _ in x.shape[2:])), p, training, inplace)


def _masked(
    numbers: RandomNumbers, x: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool
) -> Tensor:
    """x with entries set to zero with probability p, and the others divided by 1 - p."""
    if not training or p == 0:
        return x
    kept = _drawn_above(numbers, tuple(shape), x.dtype, p).to(x.dtype) / max(1 - p, 1e-300)
    return x.mul_(kept) if inplace else x * kept


def _drawn_above(numbers: RandomNumbers, shape: tuple[int, ...], dtype: torch.dtype, p: float | Tensor) -> Tensor:
    """Whether numbers are at least p, bool; drawn in single precision at least, or p would be rounded."""
    return uniform(numbers.next_key(), shape, torch.promote_types(dtype, torch.float32)) >= p


def _like(draw: Any) -> Any:
    def answer(
        numbers: RandomNumbers,
        input: Tensor,
        *,
        dtype: torch.dtype | None = None,
        device: Any = None,
        layout: Any = None,
        memory_format: Any = None,
    ) -> Tensor:
        return draw(numbers.next_key(), tuple(input.shape), dtype or input.dtype)

    return answer


def _sized(draw: Any) -> Any:
    def answer(
        numbers: RandomNumbers,
        *shape: Any,
        size: Any = None,
        dtype: torch.dtype | None = None,
        device: Any = None,
        layout: Any = None,
        generator: None = None,
    ) -> Tensor:
        if size is not None or (len(shape) == 1 and not isinstance(shape[0], int)):
            shape = tuple(shape[0] if size is None else size)
        return draw(numbers.next_key(), shape, dtype or torch.get_default_dtype())

    return answer


# Their parameters are PyTorch's: `from` is a word of Python, so that it can be given by position alone.
def _normal_(
    numbers: RandomNumbers, x: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: None = None
) -> Tensor:
    return x.copy_(mean + std * normal(numbers.next_key(), tuple(x.shape), x.dtype))


def _uniform_(
    numbers: RandomNumbers, x: Tensor, low: float = 0.0, to: float = 1.0, *, generator: None = None
) -> Tensor:
    return x.copy_(low + (to - low) * uniform(numbers.next_key(), tuple(x.shape), x.dtype))


def _bernoulli(numbers: RandomNumbers, input: Tensor, *, generator: None = None) -> Tensor:
    return (~_drawn_above(numbers, tuple(input.shape), input.dtype, input)).to(input.dtype)


def _attention(
    numbers: RandomNumbers,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    options = {"attn_mask": attn_mask, "is_causal": is_causal, "scale": scale, "enable_gqa": enable_gqa}
    if not dropout_p:
        return F.scaled_dot_product_attention(query, key, value, **options)
    unit = torch.eye(key.shape[-2], dtype=value.dtype, device=value.device)  # whose weighted sums are the weights
    weights = F.scaled_dot_product_attention(query, key, unit.expand(*key.shape[:-1], -1), **options)
    if enable_gqa:
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], dim=-3)
    return _dropout(numbers, weights, dropout_p) @ value


# PyTorch hands this function to a mode as a whole, and runs its body, with the dropout in it, where the mode is off.
_MULTI_HEAD_ATTENTION = FunctionType(
    F.multi_head_attention_forward.__code__,
    {**vars(F), "has_torch_function": lambda tensors: False},
    argdefs=F.multi_head_attention_forward.__defaults__,
)


def _multi_head_attention(numbers: RandomNumbers, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
    with numbers:
        return _MULTI_HEAD_ATTENTION(*args, **kwargs)


ANSWERS = {
    F.dropout: _dropout,
    F.dropout1d: _channel_dropout,
    F.dropout2d: _channel_dropout,
    F.dropout3d: _channel_dropout,
    F.scaled_dot_product_attention: _attention,
    F.multi_head_attention_forward: _multi_head_attention,
    torch.rand_like: _like(uniform),
    torch.randn_like: _like(normal),
    torch.rand: _sized(uniform),
    torch.randn: _sized(normal),
    torch.bernoulli: _bernoulli,
    Tensor.normal_: _normal_,
    Tensor.uniform_: _uniform_,
}
