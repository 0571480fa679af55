"""Time stamps of records."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The present time in UTC, in ISO 8601 format to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
