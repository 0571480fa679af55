"""Arguments of the laboratory: numbers, seeds, devices and precisions, checked and converted."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError, unknown

DTYPES = {"float64": torch.float64, "float32": torch.float32}
SEED_LIMIT = 2**31
PICTURE_SUFFIXES = (".png", ".svg")


def real_array(given: Any, wanted: str) -> np.ndarray:
    """Numbers of any shape, as float64.

    Raises:
        GanbenchError: they are not numbers, or do not fit in an array; `wanted` says what would be.
    """
    if isinstance(given, Tensor):
        given = given.detach().cpu().numpy()
    try:
        values = np.asarray(given)
        if values.dtype.kind not in "iuf":
            raise ValueError
    except ValueError:
        raise GanbenchError(f"{wanted}, but is {given!r}.") from None
    return values.astype(np.float64)


def numbers(what: str, given: Any) -> np.ndarray:
    """One or more numbers, as (count,) float64.

    Raises:
        GanbenchError: they are not finite numbers in a row, or there are none.
    """
    values = real_array(given, f"{what} must be a number, or one for each member")
    values = np.squeeze(values, axis=1) if values.ndim == 2 and values.shape[1] == 1 else values
    values = np.atleast_1d(values)
    if values.ndim != 1 or not len(values):
        raise GanbenchError(f"{what} must be a number, or one for each member, but has the shape {values.shape}.")
    if not np.isfinite(values).all():
        raise GanbenchError(f"{what} must be finite, but is {values[~np.isfinite(values)][0]}.")
    return values


def parse_seeds(given: Any) -> list[int]:
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if given < 1:
            raise GanbenchError(f"seeds must be a number of seeds, 1 or more, or a list of seeds, but is {given}.")
        return list(range(given))
    try:
        seeds = [int(seed) for seed in given if seed == int(seed)]
        whole = len(seeds) == len(given) and all(0 <= seed < SEED_LIMIT for seed in seeds)
    except (TypeError, ValueError):
        seeds, whole = [], False
    if not whole or not seeds or isinstance(given, str):
        raise GanbenchError(f"seeds must be a number of seeds, or a list of integers from 0 on, but is {given!r}.")
    return seeds


def parse_n_train(given: int | str | None, available: int) -> int:
    if given in (None, "all"):
        return available
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= available:
        raise GanbenchError(f"n_train must be from 1 to {available}, the data set's size, or 'all', but is {given!r}.")
    return given


def parse_device(given: str | torch.device) -> torch.device:
    try:
        device = torch.device(given)
    except (RuntimeError, TypeError):
        raise GanbenchError(f"device {given!r} is not known to PyTorch; valid: cpu, cuda, cuda:0, ...") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise GanbenchError(f"device {str(given)!r}: PyTorch sees no GPU here; valid: cpu.")
    return device


def parse_dtype(given: str | torch.dtype) -> torch.dtype:
    name = str(given).removeprefix("torch.")
    if name not in DTYPES:
        raise GanbenchError(unknown("dtype", name, DTYPES))
    return DTYPES[name]
