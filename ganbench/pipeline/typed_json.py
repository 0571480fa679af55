"""Conversion of frozen dataclasses to JSON and back, typed by their annotations."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import to_jsonable_python


def encode(value: Any) -> Any:
    """Convert a dataclass, or a container of dataclasses, to JSON-able values.

    Returns:
        Dataclasses as mappings of their fields, paths as text, tuples as lists.
    """
    return to_jsonable_python(value)


def decode(kind: Any, value: Any) -> Any:
    """Convert JSON-able values made by `encode` back to a value of an annotated type.

    Args:
        kind: the type.
        value: the JSON-able values.

    Raises:
        ValueError: a field of a dataclass is missing, unknown, or of another type; the message names it.
    """
    return _reader(kind).validate_python([value])[0]


@cache
def _reader(kind: Any) -> TypeAdapter[list[Any]]:
    """The reader of a list, since pydantic takes no configuration for a dataclass by itself."""
    return TypeAdapter(list[kind], config=ConfigDict(extra="forbid"))
