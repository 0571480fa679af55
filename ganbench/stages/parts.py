"""From a job's slice to the objects it names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ganbench.core import registry, store
from ganbench.core.errors import GanbenchError
from ganbench.core.sources import engine_digest, sources_digest
from ganbench.data import Examples


def make(family: str, named: dict[str, Any]) -> Any:
    """The member of a family that a slice names, with its options."""
    member = registry.find(family, named["name"])
    return member.build(member.complete(named["options"]))


def examples(path: Path) -> Examples:
    """A prepared data set."""
    with store.reading(path, "prepare") as file:
        return Examples(**store.load(file["examples"]))


def verify(expected: str, named: Iterable[tuple[str, dict[str, Any]]], engine: str | None = None) -> None:
    """Refuse to compute under a digest that is no longer the sources'.

    Args:
        expected: digest of the sources when the job was planned.
        named: the parts it will work with: (family, as the slice names it).
        engine: module of `ganbench/engine` that will compute, if one does.

    Raises:
        GanbenchError: a source file has been edited since.
    """
    members = [registry.find(family, part["name"]) for family, part in named]
    found = engine_digest(engine, members) if engine else sources_digest(*(member.path for member in members))
    if found != expected:
        raise GanbenchError(
            "source files were edited after this job was planned, so its result would carry a wrong digest. Start the "
            "workflow again; what is computed is kept."
        )
