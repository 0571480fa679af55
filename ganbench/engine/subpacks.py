"""Subpacks: the parts of a pack that train together, as large as a GPU has memory for.

What a member needs is measured on the GPU before the first step. Main memory is allotted by the scheduler: there, and
where a measurement was too small, training notices when it runs out and goes on in halves.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import torch

from ganbench.core.errors import GanbenchError
from ganbench.core.tree import Tree
from ganbench.engine import fusing
from ganbench.engine.out_of_memory import OutOfMemory
from ganbench.engine.train import Training, train
from ganbench.games import CHUNK, Game, Member

SHARE = 0.85  # of the free memory that is given to members: allocators leave gaps
SMALL = 0.25  # a pack whose bound is below this share of the free memory is not measured
COPIES = 20  # of a member's parameters, at most: gradients, moments, averages, each before and after a step
MEASURED = 2  # members in the measurement: a single one would not be fused


class DoesNotFit(GanbenchError, MemoryError):
    """A single run needs more main memory than the job has."""


class DeviceMemory(Protocol):
    """The memory of a device, in bytes."""

    total: int

    def free(self) -> int:
        """Memory that can be allocated."""

    def peak(self, work: Callable[[], object]) -> int:
        """Largest memory allocated at any time during some work."""


class GpuMemory:
    """The memory of a GPU, as PyTorch knows it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.total = torch.cuda.get_device_properties(device).total_memory

    def free(self) -> int:
        kept = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return torch.cuda.mem_get_info(self._device)[0] + kept

    def peak(self, work: Callable[[], object]) -> int:
        torch.cuda.reset_peak_memory_stats(self._device)
        before = torch.cuda.memory_allocated(self._device)
        work()
        return torch.cuda.max_memory_allocated(self._device) - before


def device_memory(device: torch.device) -> DeviceMemory | None:
    """The device's memory; None for main memory, since a job's share of it is unknown."""
    return GpuMemory(device) if device.type == "cuda" else None


def release(device: torch.device) -> None:
    """Free unused memory: objects that an error kept alive, and the caches of allocators."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # of the GNU C library
        trim(0)


def largest_subpack(
    game: Game, training: Training, members: Sequence[Member], device: torch.device, memory: DeviceMemory | None
) -> tuple[int, str]:
    """The largest number of members that fit into memory together.

    Args:
        game, training, members, device: as of `train`.
        memory: the device's memory; None if its size is unknown, in which case all members are taken to fit.

    Returns:
        The number, at least 1, and its reason in words; an empty reason where nothing had to be measured.
    """
    if memory is None or len(members) == 1:
        return len(members), ""
    free = memory.free()
    if len(members) * memory_bound(game, training, members[0]) <= SMALL * free:
        return len(members), ""
    few = members[:MEASURED]
    try:
        each = memory.peak(lambda: _try_out(game, training, few, device)) / len(few)
    except OutOfMemory:
        each = None
    release(device)
    if each is None:
        return 1, f"{len(few)} runs do not fit into the {gib(free)} that are free"
    largest = max(1, min(len(members), int(SHARE * free / max(each, 1))))
    return largest, f"a run needs {gib(each)} of the {gib(free)} that are free"


def memory_bound(game: Game, training: Training, member: Member) -> float:
    """An upper bound of the memory that a member needs, in bytes: for all copies of its parameters, and a number for
    every floating-point operation of its networks, of which each has at most one result that a gradient needs."""
    parameters = sum(theta.numel() for theta in game.start(member).values())
    numbers = COPIES * parameters + fusing.forward_work(game)
    return training.dynamics.gradients_per_step * numbers * training.dtype.itemsize


def _try_out(game: Game, training: Training, members: Sequence[Member], device: torch.device) -> None:
    # One step more than a chunk has: random numbers of the next are drawn while those of the last are still there.
    how = replace(training, steps=CHUNK + 1, snapshots=(0,), curve_bins=1, execution="eager")
    train(game, how, members, device=device)


def even_sizes(count: int, largest: int) -> list[int]:
    """Sizes of the fewest subpacks, as equal as possible.

    Args:
        count: number of members.
        largest: largest size of a subpack.
    """
    subpacks = -(-count // largest)
    return [count // subpacks + (index < count % subpacks) for index in range(subpacks)]


def halved_sizes(count: int, state: Tree | None) -> list[int]:
    """Sizes of the two halves of a subpack that did not fit.

    Members that have diverged take no memory, so the members still in training are halved.

    Args:
        count: number of members.
        state: the state of training when memory ran out; None if it had not begun.

    Returns:
        Two sizes; one, `count`, if a single member is left in training.
    """
    alive = list(range(count)) if state is None else state["alive"]
    if len(alive) < 2:
        return [count]
    cut = alive[(len(alive) + 1) // 2]
    return [cut, count - cut]


def does_not_fit(name: str, where: str, cause: str, device: torch.device, smaller: str) -> GanbenchError:
    """The error that a single run does not fit into a device's memory; `DoesNotFit` for main memory, of which a job can
    be given more.

    Args:
        name: name of the run.
        where: when memory ran out, in words.
        cause: the allocator's message.
        device: the device.
        smaller: changes that would need less memory, in words.
    """
    memory = device_memory(device)
    if memory is None:
        return DoesNotFit(
            f"{name} alone does not fit into main memory: {where} ({cause}). Give its job more, or {smaller}."
        )
    return GanbenchError(
        f"{name} alone does not fit into the {gib(memory.total)} of {device}: {where} ({cause}). Take a larger GPU, or "
        f"{smaller}; machine.device: cpu takes main memory."
    )


def gib(size: float) -> str:
    """A number of bytes in words."""
    return f"{size / 2**30:.3g} GiB"
