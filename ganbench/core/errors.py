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


# How allocators say that memory ran out: PyTorch's on a GPU and on the CPU, those of CUDA's libraries, and C++'s own.
NO_MEMORY = (
    *("out of memory", "can't allocate memory", "ALLOC_FAILED", "bad_alloc"),
    *("unable to find an engine", "Unable to find a valid cuDNN algorithm"),  # cuDNN's words for no room to work in
)


def out_of_memory(error: BaseException) -> str | None:
    """What the allocator said, if the error is that memory ran out; None for any other.

    An error that was raised while such a one was handled counts too: what takes a RuntimeError of PyTorch's for one
    of its own has been mistaken.
    """
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen)
        said = isinstance(seen, RuntimeError) and any(words in text for words in NO_MEMORY)
        if said or isinstance(seen, MemoryError):
            return text.split("\n")[0] or "no memory"
        seen = seen.__cause__ or seen.__context__
    return None
