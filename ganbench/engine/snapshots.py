"""Snapshots of a pack: copies of its networks after some steps, kept until training is done.

Training gives every snapshot to a store, and keeps what the store returns for each run: a reference. The state of
training holds the references. So a state is as small or as large as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ganbench.core.tree import Tree
from ganbench.engine.step import Variables

Snapshot = dict[str, dict[str, Tensor]]  # by kind and name, (K, ...) each: "players", "buffers", perhaps "average"
Reference = Any  # to one snapshot of one run; part of the state of training, so a value of a `Tree`


def snapshot(dynamics: Any, variables: Variables) -> Snapshot:
    """What a snapshot keeps: parameters, buffers, and the moving average of the parameters if there is one."""
    players = dynamics.snapshot(variables.players, variables.states)
    average = {"average": variables.average} if variables.average else {}
    return {"players": players, "buffers": variables.buffers} | average


class SnapshotStore(Protocol):
    """A place for the snapshots of a pack."""

    def add(self, step: int, rows: Mapping[int, int], taken: Snapshot) -> dict[int, Reference]:
        """Keep a snapshot, whose tensors may change after the call.

        Args:
            step: number of steps before it.
            rows: by the indices of the members to keep, the rows of the tensors that are theirs.
            taken: the snapshot.

        Returns:
            A reference for each of the members, by their indices.
        """

    def result(self, kept: Mapping[int, Reference]) -> Tree:
        """What the result of a run says of its snapshots.

        Args:
            kept: the references to them, by step.
        """


class HostCopy:
    """A copy of a snapshot in main memory. On a GPU it is made while the next steps are computed.

    Args:
        taken: the snapshot.
    """

    def __init__(self, taken: Snapshot) -> None:
        self._tensors = {kind: {name: _host(value) for name, value in each.items()} for kind, each in taken.items()}
        devices = {value.device for each in taken.values() for value in each.values() if value.is_cuda}
        self._copied = [torch.cuda.current_stream(device).record_event() for device in devices]

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        """The arrays, (K, ...) each, when the copy is complete."""
        for event in self._copied:
            event.synchronize()
        return {kind: {name: value.numpy() for name, value in each.items()} for kind, each in self._tensors.items()}


class SnapshotsInMemory:
    """Snapshots in main memory: a reference to one is the snapshot itself."""

    def add(self, step: int, rows: Mapping[int, int], taken: Snapshot) -> dict[int, Reference]:
        arrays = HostCopy(taken).arrays()
        # An array too where a member has one number, such as a count of batches.
        return {
            k: {kind: {name: np.array(value[row]) for name, value in each.items()} for kind, each in arrays.items()}
            for k, row in rows.items()
        }

    def result(self, kept: Mapping[int, Reference]) -> Tree:
        steps = sorted(kept)
        stacked = {
            kind: {name: np.stack([kept[step][kind][name] for step in steps]) for name in each}
            for kind, each in kept[steps[0]].items()
        }
        return snapshots_of(steps, stacked)


def snapshots_of(steps: Sequence[int], stacked: Tree) -> Tree:
    """The snapshots of a run as its result has them.

    Args:
        steps: the steps of the S snapshots.
        stacked: arrays (S, ...) by kind and name.
    """
    return {"snapshots": {"step": np.array(steps), **stacked["players"]}} | {
        kind: each for kind, each in stacked.items() if kind != "players"
    }


def size(taken: Snapshot) -> int:
    """The number of bytes of a snapshot."""
    return sum(value.nbytes for each in taken.values() for value in each.values())


def _host(value: Tensor) -> Tensor:
    # Pinned memory, since a copy to any other would wait for all steps so far.
    return torch.empty(value.shape, dtype=value.dtype, pin_memory=value.is_cuda).copy_(
        value.detach(), non_blocking=True
    )
