"""Where a module's parts hold its parameters or buffers, so that other tensors can stand there for a while."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

Slot = tuple[dict[str, Tensor], str, str]  # the dict of a part, the key there, and the tensor's name in the module


class Slots(Mapping[str, Tensor]):
    """The tensors that a module holds now, by their names in the order of `named_parameters` or `named_buffers`.

    They are found once, since `torch.func.functional_call` looks them up at every call, which takes a fifth of a small
    network's training step. A tensor that several parts share has one name, its first, and a slot in each of them.

    Args:
        slots: the slots.
    """

    def __init__(self, slots: list[Slot]) -> None:
        self._slots = slots
        self._first: dict[str, tuple[dict[str, Tensor], str]] = {}
        for part, key, name in slots:
            self._first.setdefault(name, (part, key))

    @classmethod
    def of_parameters(cls, module: nn.Module) -> Slots:
        """The slots of all parameters of a module."""
        return cls(list(_slots(module, "_parameters")))

    @classmethod
    def of_buffers(cls, module: nn.Module) -> Slots:
        """The slots of all buffers of a module."""
        return cls(list(_slots(module, "_buffers")))

    def only(self, names: Collection[str]) -> Slots:
        """The slots of the tensors with these names."""
        return Slots([slot for slot in self._slots if slot[2] in names])

    def __getitem__(self, name: str) -> Tensor:
        part, key = self._first[name]
        return part[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    @contextmanager
    def holding(self, values: Mapping[str, Tensor]) -> Iterator[None]:
        """A block in which the module has other tensors in place of its own, which are put back.

        Args:
            values: a tensor for every name.
        """
        own = [part[key] for part, key, _ in self._slots]
        for part, key, name in self._slots:
            part[key] = values[name]
        try:
            yield
        finally:
            for (part, key, _), value in zip(self._slots, own, strict=True):
                part[key] = value


def _slots(module: nn.Module, kind: str) -> Iterator[Slot]:
    names: dict[int, str] = {}
    for prefix, part in module.named_modules():
        held: dict[str, Any] = getattr(part, kind)
        for key, value in held.items():
            if value is not None:
                yield held, key, names.setdefault(id(value), f"{prefix}.{key}".removeprefix("."))


@contextmanager
def copied_buffers(module: nn.Module) -> Iterator[Slots]:
    """A block in which a module has copies of its buffers, so that the block changes none; yields their slots."""
    slots = Slots.of_buffers(module)
    with slots.holding({name: value.clone() for name, value in slots.items()}):
        yield slots
