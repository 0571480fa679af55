"""Running out of memory, a GPU's or the machine's: noticed where it happens, so that nothing computed is lost."""

from __future__ import annotations

from types import TracebackType

import torch

from ganbench.core.tree import Tree

# How allocators say it: PyTorch's on a GPU, PyTorch's on the CPU, those of CUDA's libraries, and C++'s own.
WORDS = ("out of memory", "can't allocate memory", "ALLOC_FAILED", "bad_alloc")


class OutOfMemory(Exception):
    """The next step of training does not fit into memory.

    Args:
        cause: what the allocator said.
        state: where training stands, to go on from there, with fewer members; None if it had not begun.
    """

    def __init__(self, cause: str, state: Tree | None) -> None:
        super().__init__(cause)
        self.cause, self.state = cause, state


class Watch:
    """A block that ends, without an error, where memory runs out; `lacking` is then what the allocator said.

    When the block has ended, so have the functions called in it: what they had allocated is free again.
    """

    def __init__(self) -> None:
        self.lacking: str | None = None

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, _: type | None, error: BaseException | None, __: TracebackType | None) -> bool:
        self.lacking = error and lacking(error)
        return self.lacking is not None


def lacking(error: BaseException) -> str | None:
    """What the allocator said, if the error is that memory ran out; None for any other.

    An error that was raised while such a one was handled counts too: what takes a RuntimeError of PyTorch's for one
    of its own has been mistaken.
    """
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen)
        if isinstance(seen, MemoryError | torch.OutOfMemoryError):
            return text.split("\n")[0] or "no memory"
        if isinstance(seen, RuntimeError) and any(words in text for words in WORDS):
            return text.split("\n")[0]
        seen = seen.__cause__ or seen.__context__
    return None
