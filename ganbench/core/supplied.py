"""The mark of a component's fields that are no options, since the engine supplies their values."""

from __future__ import annotations

from typing import Annotated, TypeVar

Value = TypeVar("Value")

NOT_AN_OPTION = object()

Supplied = Annotated[Value, NOT_AN_OPTION]
"""The type of such a field: `batch_size: Supplied[int]`. A study cannot set it; whoever builds the component does."""
