"""JSON with finite numbers only, since the standard has neither NaN nor infinity.

Results that may be NaN or infinite (losses, norms, scores) belong in arrays and tables.
"""

from __future__ import annotations

import json
import math
from typing import Any

from ganbench.core.errors import GanbenchError


def dumps(content: Any, **options: Any) -> str:
    """Encode a value as JSON text.

    Args:
        content: the value.
        options: options of `json.dumps`.

    Raises:
        GanbenchError: a number that is NaN or infinite. The message gives its location.
    """
    try:
        return json.dumps(content, allow_nan=False, **options)
    except ValueError:
        if location := _find_non_finite(content, ""):
            raise GanbenchError(f"JSON holds finite numbers only, but {location}.") from None
        raise


def _find_non_finite(content: Any, location: str) -> str | None:
    """The first number that is NaN or infinite, with its location: "[2].gamma is nan"; None if all are finite."""
    if isinstance(content, float) and not math.isfinite(content):
        return f"{location.removeprefix('.') or 'the value'} is {content}"
    parts = []
    if isinstance(content, dict):
        parts = [(f"{location}.{key}", value) for key, value in content.items()]
    elif isinstance(content, list | tuple):
        parts = [(f"{location}[{index}]", value) for index, value in enumerate(content)]
    return next(filter(None, (_find_non_finite(value, where) for where, value in parts)), None)
