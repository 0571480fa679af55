"""Running out of memory, on a GPU or in main memory, without losing finished steps."""

from __future__ import annotations

from types import TracebackType

from ganbench.core.errors import out_of_memory
from ganbench.core.tree import Tree


class OutOfMemory(Exception):
    """The next step of training does not fit into memory.

    Args:
        cause: the allocator's message.
        state: the state of training, to go on from with fewer members; None if it had not begun.
    """

    def __init__(self, cause: str, state: Tree | None) -> None:
        super().__init__(cause)
        self.cause, self.state = cause, state


class OutOfMemoryGuard:
    """A block that ends without an error where memory runs out.

    After the block, the memory of the functions called in it is free again.

    Attributes:
        cause: the allocator's message; None if memory did not run out.
    """

    def __init__(self) -> None:
        self.cause: str | None = None

    def __enter__(self) -> OutOfMemoryGuard:
        return self

    def __exit__(self, _: type | None, error: BaseException | None, __: TracebackType | None) -> bool:
        self.cause = error and out_of_memory(error)
        return self.cause is not None
