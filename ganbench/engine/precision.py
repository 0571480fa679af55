"""Precisions of training: of parameters and sums, and, lower than that, of products of matrices and convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from ganbench.core.errors import GanbenchError
from ganbench.nn import stacked

# By precision, as a study writes it: the type of parameters and of all else that is computed, and that of products.
PRECISIONS: dict[str, tuple[torch.dtype, str | None]] = {
    "float64": (torch.float64, None),
    "float32": (torch.float32, None),
    "tf32": (torch.float32, "tf32"),
    "bfloat16": (torch.float32, "bfloat16"),
}
TF32_CAPABILITY = (8, 0)  # of a GPU that has TensorFloat-32

# The operations that PyTorch's autocast lowers, as Python calls them. Attention is lowered as a whole.
PRODUCTS = frozenset(
    (
        *(F.linear, F.bilinear, F.conv1d, F.conv2d, F.conv3d),
        *(F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
        *(F.scaled_dot_product_attention, F.multi_head_attention_forward),
        *(torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.baddbmm, torch.addbmm, torch.einsum),
        *stacked.PRODUCTS.values(),
        *(Tensor.matmul, Tensor.__matmul__, Tensor.__rmatmul__, Tensor.mm, Tensor.bmm),
    )
)


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse a precision that a device does not have.

    Raises:
        GanbenchError: "tf32" without a GPU that has it. It would be float32 there, under another name.
    """
    if precision != "tf32":
        return
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < TF32_CAPABILITY:
        raise GanbenchError(
            f"train.precision: 'tf32' needs an NVIDIA GPU of compute capability {TF32_CAPABILITY[0]}.0 or higher, but "
            f"this job computes on {device}; choose float32, bfloat16 or float64."
        )


def set_numeric_mode() -> None:
    """Make a GPU compute the same bits in every process, and float32 in float32: the mode of every job.

    A CPU computes so by itself, with one thread.
    """
    torch.backends.cudnn.benchmark = False  # it chooses algorithms by their speed, which varies between runs
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def lowered_products(products: str | None, device: torch.device) -> Any:
    """A context in which products of matrices and convolutions are computed in a lower precision.

    Args:
        products: "bfloat16", "tf32" (which a CPU computes as float32), or None to lower nothing.
        device: device of the computation.
    """
    if products == "bfloat16":
        return _BFloat16Products()
    return _tf32() if products == "tf32" and device.type == "cuda" else nullcontext()


class _BFloat16Products(TorchFunctionMode):
    """Rounds the factors of products to bfloat16, and gives their results in float32 again.

    PyTorch's own autocast works below vmap, which hides convolutions from it on a CPU: a run alone would be computed
    in another precision than in a pack. And it leaves results in bfloat16, whose 8 bits are few for losses and norms.
    """

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if function not in PRODUCTS:
            return function(*args, **kwargs)
        args, kwargs = tree_map(_rounded, (args, kwargs))
        return tree_map(_widened, function(*args, **kwargs))


def _rounded(value: Any) -> Any:
    return value.bfloat16() if isinstance(value, Tensor) and value.dtype == torch.float32 else value


def _widened(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.bfloat16 else value


@contextmanager
def _tf32() -> Iterator[None]:
    places = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [place.allow_tf32 for place in places]
    try:
        for place in places:
            place.allow_tf32 = True
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.allow_tf32 = value
