"""The state from which finished runs go on to more steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ganbench.core.tree import Tree, map_tree
from ganbench.engine.execution import EAGER, TRACED
from ganbench.engine.snapshots import Reference


def joined_state(states: Sequence[Tree], snapshots: Sequence[Mapping[int, Reference]]) -> Tree:
    """The state of a pack, made of the last states of its members after the same number of steps, in whatever packs
    they were.

    Args:
        states: the members' last states; see `train`.
        snapshots: for each member, references to the snapshots of its steps so far, by step.

    Returns:
        The state to `resume` from; members that have diverged are in it, and do not train.
    """
    shared = {name for name in states[0] if name not in ("step", "execution", "pack", "alive", "runs")}
    alive = [k for k, state in enumerate(states) if state["alive"]]
    forms = [state["execution"] for state in states if "execution" in state]
    # Eager and traced steps have the same bits; what has not goes on as it is.
    settled = [each for each in forms if each["form"] not in (EAGER, TRACED)]
    return {
        **({"execution": settled[0]} if len(settled) == len(states) else {}),
        "step": max(state["step"] for state in states),  # a pack whose members have all diverged stops early
        "pack": alive,
        "alive": alive,
        "runs": {
            str(k): {**state["runs"]["0"], "snapshots": {str(step): each for step, each in kept.items()}}
            for k, (state, kept) in enumerate(zip(states, snapshots, strict=True))
        },
        **{name: map_tree(_joined, *(state[name] for state in states)) for name in shared},
    }


def _joined(*of_members: np.ndarray) -> np.ndarray:
    return np.concatenate(of_members)
