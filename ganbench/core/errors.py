"""Errors a user can act on: each names the cause, the value received and what would have been valid."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GanbenchError(Exception):
    """Something the user can mend. The command line prints its message without a traceback and exits with status 1."""


def unknown(kind: str, value: object, choices: Iterable[str]) -> str:
    """The sentence for a name that is none of the valid ones, with the nearest of them suggested.

    Args:
        kind: what the name should have named, as in "unknown architecture".
        value: the value received.
        choices: the valid names.
    """
    names = sorted(choices)
    near = get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {value!r}.{hint} Valid: {', '.join(names) or 'none'}."
