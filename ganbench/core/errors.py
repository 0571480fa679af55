"""Errors for users. Each names the cause, the value received and the valid choices."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GanbenchError(Exception):
    """An error that a user can fix. The command line prints its message without a traceback and exits with status 1."""


def unknown(kind: str, value: object, choices: Iterable[str]) -> str:
    """A sentence about an unknown name, with the nearest valid name as a suggestion.

    Args:
        kind: kind of the name, such as "architecture".
        value: the value received.
        choices: the valid names.
    """
    names = sorted(choices)
    near = get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {value!r}.{hint} Valid: {', '.join(names) or 'none'}."


# Parts of messages about exhausted memory: from PyTorch on GPU and CPU, from libraries of CUDA, and from C++.
NO_MEMORY = (
    *("out of memory", "can't allocate memory", "ALLOC_FAILED", "bad_alloc"),
    *("unable to find an engine", "Unable to find a valid cuDNN algorithm"),  # cuDNN lacks memory for its workspace
)


def out_of_memory(error: BaseException) -> str | None:
    """The allocator's message if an error means that memory is exhausted; None for any other error.

    An error raised while such an error was handled counts too, since a library may have mistaken PyTorch's RuntimeError
    for one of its own.
    """
    current: BaseException | None = error
    while current is not None:
        text = str(current)
        is_memory_error = isinstance(current, RuntimeError) and any(part in text for part in NO_MEMORY)
        if is_memory_error or isinstance(current, MemoryError):
            return text.split("\n")[0] or "no memory"
        current = current.__cause__ or current.__context__
    return None
