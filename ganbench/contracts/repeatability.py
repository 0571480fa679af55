"""Checks that code is a function of its arguments, by calls in two different worlds.

The world is everything that code can see besides its arguments: the global random generators, the clocks, and the
settings of the process. A second call in another world must return the same result, and must not change the world.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
SHIFT = 1_000_003.0  # seconds by which clocks differ from one world to the next


@dataclass
class World:
    """The record of one world.

    Attributes:
        fault: the change that a call made to the world, as a clause; None if it made no change.
    """

    fault: str | None = field(default=None)


@contextmanager
def world(number: int) -> Iterator[World]:
    """Replace the world for a block, and restore it afterwards.

    Args:
        number: number of the world. It seeds the random generators, and puts clocks forward by `number * SHIFT`.
    """
    observed, randoms, settings = World(), _randoms(), _settings()
    clocks = {name: getattr(time, name) for name in CLOCKS}
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002 - the generator that a component's code may use
    torch.default_generator.manual_seed(number)
    started = _randoms()
    for name, clock in clocks.items():
        shift = number * SHIFT * (1e9 if name.endswith("_ns") else 1)
        setattr(time, name, _shifted(clock, type(clock())(shift)))
    try:
        yield observed
    finally:
        for name, clock in clocks.items():
            setattr(time, name, clock)
        moved = [name for name, state in _randoms().items() if not identical(state, started[name])]
        changed = [name for name, value in _settings().items() if value != settings[name]]
        if moved:
            observed.fault = f"draws from {moved[0]}'s global random numbers, which all runs share"
        elif changed:
            observed.fault = f"changes {changed[0]} for the whole process"
        random.setstate(randoms["Python"])
        np.random.set_state(randoms["NumPy"])  # noqa: NPY002 - the generator that a component's code may use
        torch.set_rng_state(randoms["PyTorch"])
        torch.set_default_dtype(settings["PyTorch's default dtype"])
        torch.set_grad_enabled(settings["whether PyTorch takes gradients"])
        os.chdir(settings["the working directory"])


def _shifted(clock: Callable[[], Any], shift: Any) -> Callable[[], Any]:
    return lambda: clock() + shift


def _randoms() -> dict[str, Any]:
    legacy = np.random.get_state()  # noqa: NPY002 - the generator that a component's code may use
    return {"Python": random.getstate(), "NumPy": legacy, "PyTorch": torch.get_rng_state()}


def _settings() -> dict[str, Any]:
    return {
        "PyTorch's default dtype": torch.get_default_dtype(),
        "whether PyTorch takes gradients": torch.is_grad_enabled(),
        "PyTorch's deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "PyTorch's threads": torch.get_num_threads(),
        "the working directory": os.getcwd(),
    }


def identical(a: Any, b: Any) -> bool:
    """Whether two results (tensors, arrays, or collections of these) are equal to the last bit. NaN equals NaN."""
    return fingerprint(a) == fingerprint(b)


def _digest(values: np.ndarray) -> bytes:
    """SHA-256 of an array's bytes, kept instead of a copy, which may be large."""
    return hashlib.sha256(values.reshape(-1).view(np.uint8).data if values.size else b"").digest()


def fingerprint(value: Any) -> Any:
    """A comparable description of a value: its content, or its identity if it is an object of an unknown type."""
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes():
            return value if value == value else "NaN"
        case Tensor():
            # An axis of one entry may have any stride and count as contiguous; a view as bytes asks for a stride of 1.
            content = value.detach().cpu().contiguous().as_strided((value.numel(),), (1,)).view(torch.uint8).numpy()
            return ("tensor", str(value.dtype), tuple(value.shape), _digest(content))
        case np.ndarray() | np.generic():
            if value.dtype.hasobject:
                return ("array", str(value.dtype), value.shape, *map(fingerprint, value.ravel().tolist()))
            return ("array", str(value.dtype), value.shape, _digest(np.ascontiguousarray(value)))
        case list() | tuple():
            return (type(value).__name__, *map(fingerprint, value))
        case set() | frozenset():
            return ("set", frozenset(map(fingerprint, value)))
        case Mapping():
            return ("mapping", *((fingerprint(key), fingerprint(each)) for key, each in value.items()))
        case random.Random():
            return ("random", value.getstate())
        case np.random.Generator():
            return ("generator", fingerprint(value.bit_generator.state))
        case torch.Generator():
            return ("generator", fingerprint(value.get_state()))
        case _ if is_dataclass(value) and not isinstance(value, type):
            apart = {each.name for each in fields(value) if not each.compare}
            content = {name: each for name, each in vars(value).items() if name not in apart}
            return (type(value).__name__, fingerprint(content))
        case _:
            return ("object", id(value))


def attributes_of(module: nn.Module) -> dict[str, Any]:
    """The fingerprints of all attributes, buffers and parameters of a network's modules, by name."""
    kept = {}
    for prefix, part in module.named_modules():
        own = {name: value for name, value in vars(part).items() if name not in ("_modules", "_parameters", "_buffers")}
        for name, value in {**own, **part._parameters, **part._buffers}.items():
            kept[f"{prefix}.{name}" if prefix else name] = fingerprint(value)
    return kept


def globals_of(module: ModuleType) -> dict[str, Any]:
    """The fingerprints of a file's global values and of the attributes of its classes, by name.

    Modules, functions, imported classes, and names that begin with two underscores are left out.
    """
    kept = {}
    for name, value in vars(module).items():
        if name.startswith("__") or isinstance(value, ModuleType):
            continue
        if isinstance(value, type) and value.__module__ == module.__name__:
            kept |= {
                f"{name}.{each}": fingerprint(what) for each, what in vars(value).items() if not each.startswith("__")
            }
        elif not callable(value):
            kept[name] = fingerprint(value)
    return kept


def call_twice(call: Callable[[], Any]) -> tuple[Any, str | None]:
    """Call a function without arguments in two worlds.

    Returns:
        The first result, and the fault as a clause if the second call changes the world or returns another result;
        else None.
    """
    with world(1):  # changes are not checked here: an import at the first call may draw random numbers
        first = call()
    with world(2) as observed:
        again = call()
    if observed.fault:
        return first, observed.fault
    return first, None if identical(
        first, again
    ) else "gives something else when it is called again with the same arguments"
