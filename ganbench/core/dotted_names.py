"""Values of several owners in one flat dictionary, by dotted names: `generator.1.running_mean` is the generator's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def prefixed(owner: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an owner, by its name, a dot and their own names."""
    return {f"{owner}.{name}": value for name, value in values.items()}


def under(owner: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of all values that are an owner's, by their own names; the inverse of `prefixed`."""
    prefix = f"{owner}."
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
