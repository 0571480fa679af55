"""The state from which finished runs go on to more steps."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ganbench.core.tree import Tree


def joined_state(results: Sequence[Tree], snapshots: Collection[int]) -> Tree:
    """The state of a pack, made of results of its members after the same number of steps, in whatever packs they were.

    Args:
        results: the members' results, each with the last `state` of its training; see `train`.
        snapshots: steps of the snapshots that the longer training has; the others are dropped.

    Returns:
        The state to `resume` from; members that have diverged are in it, and do not train.
    """
    states = [result["state"] for result in results]
    shared = {name for name in states[0] if name not in ("step", "execution", "pack", "alive", "runs")}
    alive = [k for k, state in enumerate(states) if state["alive"]]
    return {
        "step": max(state["step"] for state in states),  # a pack whose members have all diverged stops early
        "pack": alive,
        "alive": alive,
        "runs": {
            str(k): {**state["runs"]["0"], "snapshots": _snapshots(result, snapshots)}
            for k, (state, result) in enumerate(zip(states, results, strict=True))
        },
        **{name: _concatenated([state[name] for state in states]) for name in shared},
    }


def _concatenated(trees: list[Tree]) -> Tree:
    return {
        name: _concatenated([tree[name] for tree in trees])
        if isinstance(item, dict)
        else np.concatenate([tree[name] for tree in trees])
        for name, item in trees[0].items()
    }


def _snapshots(result: Tree, wanted: Collection[int]) -> Tree:
    """A run's snapshots at the wanted steps, by step: parameters, buffers, and the averages of the parameters if there
    are any."""
    players = dict(result["snapshots"])
    steps = players.pop("step")
    kept = {"players": players, **{kind: result[kind] for kind in ("buffers", "average") if kind in result}}
    return {
        str(step): {kind: {name: values[index] for name, values in each.items()} for kind, each in kept.items()}
        for index, step in enumerate(steps)
        if step in wanted
    }
