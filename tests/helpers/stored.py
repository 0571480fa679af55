"""What result files hold, for tests to compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.core import result_files
from ganbench.core.tree import Tree


def tree_of(path: Path, kind: str | None = None) -> Tree:
    """All of a result file; its kind is its folder's name, unless given."""
    with result_files.open_file(path, kind or path.parent.name) as file:
        return result_files.read_tree(file)


def flat(tree: Tree, place: str = "") -> dict[str, Any]:
    """Arrays, numbers and texts by their place: `about/device`."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= flat(value, f"{place}{name}/") if isinstance(value, dict) else {f"{place}{name}": value}
    return found
