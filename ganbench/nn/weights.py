"""A player's parameters by name: every layer's tensors as views of one vector for each member of a pack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError, unknown


class NoSuchParameter(GanbenchError, KeyError):
    """The error for a name that none of a player's parameters has."""

    __str__ = Exception.__str__  # a KeyError would show its message in quotes


class Weights(Mapping[str, Tensor]):
    """Parameters of K members by their names in PyTorch's `named_parameters`, such as `0.weight`, (K, *shape) each.

    The tensors are views of one vector for each member, so that reading them copies nothing, and what is the same for
    all parameters, such as a norm or a bound, is computed of the vectors at once.

    Args:
        vector: the parameters, (K, P).
        shapes: the shape of each of them for one member, by name, in their order in the vector.
    """

    def __init__(self, vector: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.vector, self.shapes = vector, shapes

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        pieces = self.vector.split([prod(shape) for shape in self.shapes.values()], dim=1)
        named = zip(pieces, self.shapes.items(), strict=True)
        return {name: piece.view(len(self.vector), *shape) for piece, (name, shape) in named}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.shapes:
            raise NoSuchParameter(unknown("parameter", name, self.shapes))
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def map(self, change: Callable[[Tensor], Tensor]) -> Weights:
        """All parameters after the same change of each number.

        Args:
            change: an elementwise function of tensors of any shape.
        """
        return Weights(change(self.vector), self.shapes)

    def replaced(self, new: Mapping[str, Tensor]) -> Weights:
        """The parameters with others in place of some; nothing is copied where none or all are replaced.

        Args:
            new: the others by name, (K, *shape) each.

        Raises:
            GanbenchError: one of them has a name that no parameter has, or another shape.
        """
        if isinstance(new, Weights):
            return new
        for name, value in new.items():
            if value.shape != self[name].shape:
                raise GanbenchError(
                    f"parameter {name!r} has the shape {tuple(self[name].shape)}, but {tuple(value.shape)} is given for"
                    " it; the first axis is that of the runs."
                )
        if not new:
            return self
        tensors = (self._tensors | dict(new)).values()
        return Weights(torch.cat([each.reshape(len(self.vector), -1) for each in tensors], dim=1), self.shapes)
