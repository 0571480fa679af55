"""The type of stored results: nested dicts of arrays, numbers and strings."""

from __future__ import annotations

from typing import Any

Tree = dict[str, Any]  # values: NumPy arrays, numbers, strings, bools, None, lists of these, or trees
