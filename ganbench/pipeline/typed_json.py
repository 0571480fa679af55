"""Conversion of frozen dataclasses to JSON and back, typed by their annotations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

IN_NO_DIGEST = {"in_no_digest": True}  # metadata of a field that digests leave out, as they leave out paths


def encode(value: Any, *, paths: bool = True) -> Any:
    """Convert a dataclass, or a container of dataclasses, to JSON-able values.

    Args:
        value: the value.
        paths: whether to keep the fields that hold a path, and those that are marked `IN_NO_DIGEST`.

    Returns:
        The JSON-able values: dataclasses as mappings of their fields, paths as text, tuples as lists.
    """
    if is_dataclass(value):
        kept = [field.name for field in fields(value) if paths or not field.metadata.get("in_no_digest")]
        items = ((name, getattr(value, name)) for name in kept)
        return {name: encode(item, paths=paths) for name, item in items if paths or not isinstance(item, Path)}
    if isinstance(value, dict):
        return {key: encode(item, paths=paths) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item, paths=paths) for item in value]
    return str(value) if isinstance(value, Path) else value


def decode(kind: Any, value: Any) -> Any:
    """Convert JSON-able values made by `encode` back to a value of an annotated type.

    Args:
        kind: the type: a dataclass, `Path`, `tuple[...]`, `list[...]`, `dict[str, ...]`, `X | None`, or a plain type. A
            type with a class method `decode` is converted by that method.
        value: the JSON-able values.

    Returns:
        The value.

    Raises:
        TypeError: a field of a dataclass is missing or unknown.
    """
    if hasattr(kind, "decode"):
        return kind.decode(value)
    if is_dataclass(kind):
        hints = _hints(kind)
        if unknown := value.keys() - hints.keys():
            raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
        return kind(**{name: decode(hints[name], each) for name, each in value.items()})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        (inner,) = (each for each in arguments if each is not NoneType)
        return None if value is None else decode(inner, value)
    if origin is tuple:
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(decode(each, item) for each, item in zip(kinds, value, strict=True))
    if origin is list:
        return [decode(arguments[0], item) for item in value]
    if origin is dict:
        return {key: decode(arguments[1], item) for key, item in value.items()}
    return Path(value) if kind is Path else value


@cache
def _hints(kind: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(kind)
