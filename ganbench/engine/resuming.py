"""The state of training as arrays: what a checkpoint holds, and what training goes on from."""

from __future__ import annotations

from operator import itemgetter

import numpy as np
import torch
from torch import Tensor

from ganbench.core.tree import Tree, map_tree
from ganbench.engine.execution import Execution
from ganbench.engine.records import RunRecord
from ganbench.engine.step import Variables


def training_state(
    runs: list[RunRecord], step: int, pack: list[int], variables: Variables, execution: Execution
) -> Tree:
    """The whole state of training, as arrays; snapshots are in it as the references that their store gave."""
    return {
        "step": step,
        "execution": execution.tree(),
        "pack": list(pack),
        "alive": [k for k in pack if runs[k].alive],
        **{name: map_tree(_array, value) for name, value in variables._asdict().items()},
        "runs": {
            str(k): {
                "recorder": run.recorder.state(),
                "snapshots": {str(at): reference for at, reference in run.snapshots.items()},
                **run.ending(),
            }
            for k, run in enumerate(runs)
        },
    }


def restore(runs: list[RunRecord], state: Tree, device: torch.device) -> tuple[int, list[int], list[int], Variables]:
    """Undo `training_state`: fill the runs, and return the step, the members of the pack, those that go on, and the
    variables."""
    for k, run in enumerate(runs):
        kept = state["runs"][str(k)]
        run.recorder.restore(kept["recorder"])
        run.snapshots = {int(at): reference for at, reference in kept["snapshots"].items()}
        run.diverged, run.stopped = (kept[name] and tuple(kept[name]) for name in ("diverged", "stopped"))

    def tensor(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    variables = Variables(*(map_tree(tensor, state[name]) for name in Variables._fields))
    return state["step"], list(state["pack"]), list(state["alive"]), variables


def part_of(state: Tree, members: range) -> Tree:
    """The state of adjacent members of a pack, without the others, and without tensors of members that go on no more.

    Args:
        state: the state of the pack.
        members: indices of the members.
    """
    indices = [index for index, k in enumerate(state["pack"]) if k in members and k in state["alive"]]
    alive = [state["pack"][index] - members.start for index in indices]
    return {
        **{name: state[name] for name in ("step", "execution") if name in state},  # finished runs leave it open
        "pack": alive,
        "alive": alive,
        **{name: map_tree(itemgetter(indices), state[name]) for name in Variables._fields},
        "runs": {str(index): state["runs"][str(k)] for index, k in enumerate(members)},
    }


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.to("cpu", copy=True).numpy()  # a copy, since the next steps may be written into the same tensor
