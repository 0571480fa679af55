"""Numbers that steps compute with, placed on a device once: a step that copies them there would wait for the copy."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes


def constant(values: tuple[float, ...], like: Tensor) -> Tensor:
    """Numbers as a vector, which is kept and must not be changed.

    Args:
        values: the numbers.
        like: a tensor of the device and the precision.
    """
    return _placed(values, like.dtype, like.device)


@lru_cache(maxsize=256)
def _placed(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    # Whoever traces a step may be the first to ask; what is kept must be no part of the trace.
    with _disable_current_modes(), torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)
