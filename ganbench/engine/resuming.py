"""The state of training as arrays: what a checkpoint holds, and what training goes on from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganbench.core.tree import Tree
from ganbench.dynamics import States
from ganbench.engine.records import RunRecord
from ganbench.games import Buffers, Players


def training_state(
    runs: list[RunRecord],
    step: int,
    alive: list[int],
    players: Players,
    states: States,
    average: Players,
    buffers: Buffers,
) -> Tree:
    """The whole state of training, as arrays; snapshots are in it as the references that their store gave."""
    return {
        "step": step,
        "alive": list(alive),
        "players": _arrays(players),
        "states": {owner: _arrays(state) for owner, state in states.items()},
        "average": _arrays(average),
        "buffers": _arrays(buffers),
        "runs": {
            str(k): {
                "recorder": run.recorder.state(),
                "snapshots": {str(at): reference for at, reference in run.snapshots.items()},
                "diverged": None if run.diverged is None else list(run.diverged),
            }
            for k, run in enumerate(runs)
        },
    }


def restore(
    runs: list[RunRecord], state: Tree, device: torch.device
) -> tuple[int, list[int], Players, States, Players, Buffers]:
    """Undo `training_state`: fill the runs, and return the step, the members still in training, players, states, the
    moving average and buffers."""
    for k, run in enumerate(runs):
        kept = state["runs"][str(k)]
        run.recorder.restore(kept["recorder"])
        run.snapshots = {int(at): reference for at, reference in kept["snapshots"].items()}
        run.diverged = None if kept["diverged"] is None else tuple(kept["diverged"])

    def tensors(tree: Tree) -> Tree:
        return {
            name: tensors(item) if isinstance(item, dict) else torch.from_numpy(item).to(device)
            for name, item in tree.items()
        }

    rest = (tensors(state[name]) for name in ("players", "states", "average", "buffers"))
    return state["step"], list(state["alive"]), *rest


def part_of(state: Tree, members: range) -> Tree:
    """The state of adjacent members of a pack, without the others.

    Args:
        state: the state of the pack.
        members: indices of the members.
    """
    indices = [index for index, k in enumerate(state["alive"]) if k in members]

    def taken(tree: Tree) -> Tree:
        return {name: taken(item) if isinstance(item, dict) else item[indices] for name, item in tree.items()}

    return {
        "step": state["step"],
        "alive": [state["alive"][index] - members.start for index in indices],
        "players": taken(state["players"]),
        "states": taken(state["states"]),
        "average": taken(state["average"]),
        "buffers": taken(state["buffers"]),
        "runs": {str(index): state["runs"][str(k)] for index, k in enumerate(members)},
    }


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in tensors.items()}
