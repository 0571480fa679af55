"""JSON that every reader accepts: numbers are finite, since JSON has no words for NaN and infinity.

Results that may be NaN or infinite (losses, norms, scores) are kept in arrays and tables, never as JSON.
"""

from __future__ import annotations

import json
import math
from typing import Any

from ganbench.core.errors import GanbenchError


def dumps(content: Any, **options: Any) -> str:
    """The content as JSON text.

    Args:
        content: JSON-able values.
        options: of `json.dumps`.

    Raises:
        GanbenchError: a number is NaN or infinite; names its place.
    """
    try:
        return json.dumps(content, allow_nan=False, **options)
    except ValueError:
        if place := _not_finite(content, ""):
            raise GanbenchError(f"JSON holds finite numbers only, but {place}.") from None
        raise


def _not_finite(content: Any, place: str) -> str | None:
    """The first number that is NaN or infinite: `[2].gamma is nan`."""
    if isinstance(content, float) and not math.isfinite(content):
        return f"{place.removeprefix('.') or 'the value'} is {content}"
    parts = []
    if isinstance(content, dict):
        parts = [(f"{place}.{key}", value) for key, value in content.items()]
    elif isinstance(content, list | tuple):
        parts = [(f"{place}[{index}]", value) for index, value in enumerate(content)]
    return next(filter(None, (_not_finite(value, where) for where, value in parts)), None)
