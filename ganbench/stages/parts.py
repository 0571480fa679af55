"""From a job's slice to the objects it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.core import registry, store
from ganbench.data import Examples


def make(family: str, named: dict[str, Any]) -> Any:
    """The member of a family that a slice names, with its options."""
    member = registry.find(family, named["name"])
    return member.build(member.complete(named["options"]))


def examples(path: Path) -> Examples:
    """A prepared data set."""
    with store.reading(path, "prepare") as file:
        return Examples(**store.load(file["examples"]))
