"""Nested dicts of arrays, numbers and strings: the type of stored results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Tree = dict[str, Any]  # values: NumPy arrays, numbers, strings, bools, None, lists of these, or trees


def map_tree(change: Callable[..., Any], *trees: Tree) -> Tree:
    """A tree of functions of the leaves at the same place of trees of one structure.

    Args:
        change: the function, of as many leaves as there are trees.
        trees: nested dicts with the same keys; whatever is no dict is a leaf.
    """
    return {
        name: map_tree(change, *(tree[name] for tree in trees))
        if isinstance(item, dict)
        else change(*(tree[name] for tree in trees))
        for name, item in trees[0].items()
    }
